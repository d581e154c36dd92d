package isa

import "testing"

func TestParse(t *testing.T) {
	for tier, name := range map[Tier]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512"} {
		got, err := Parse(name)
		if tier.Available() != (err == nil) || err == nil && got != tier {
			t.Errorf("Parse(%q) = %v, %v; available: %v", name, got, err, tier.Available())
		}
		if tier.String() != name {
			t.Errorf("tier %d is called %q, want %q", int(tier), tier, name)
		}
	}
	for _, name := range []string{"", "AVX2", "sse", "avx512f", "Tier(7)"} {
		if got, err := Parse(name); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", name, got)
		}
	}
}

func TestBestIsTheLastAvailable(t *testing.T) {
	for tier := Tier(-2); tier <= AVX512+2; tier++ {
		if want := Generic <= tier && tier <= Best(); tier.Available() != want {
			t.Errorf("tier %v: available %v, want %v; best is %v", tier, tier.Available(), want, Best())
		}
	}
}
