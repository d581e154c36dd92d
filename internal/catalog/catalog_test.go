package catalog

import (
	"regexp"
	"strings"
	"testing"
)

// The table is written by hand.
func TestPublicIsWellFormed(t *testing.T) {
	digest := regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[string]bool{}
	for _, s := range Public() {
		if len(s.Files) != 4 || len(s.Mirrors) == 0 {
			t.Errorf("%s: %d files, %d mirrors", s.Name, len(s.Files), len(s.Mirrors))
		}
		for _, m := range s.Mirrors {
			if !strings.HasPrefix(m, "http") || !strings.HasSuffix(m, "/") {
				t.Errorf("%s: mirror %q: want the URL of a folder", s.Name, m)
			}
		}
		roles := map[string]bool{}
		for _, f := range s.Files {
			if !digest.MatchString(f.Digest.SHA256) || seen[f.Digest.SHA256] {
				t.Errorf("%s: %s: digest %q is none, or there twice", s.Name, f.Name, f.Digest.SHA256)
			}
			seen[f.Digest.SHA256] = true
			roles[f.Half+f.Kind] = true
			if !strings.Contains(f.Name, f.Kind) || strings.HasPrefix(f.Name, "train") != (f.Half == Train) || (f.Count == 60000) != (f.Half == Train) {
				t.Errorf("%s: %s is said to hold %d %s of %s", s.Name, f.Name, f.Count, f.Kind, f.Half)
			}
		}
		if last := s.Files[len(s.Files)-1]; len(roles) != 4 || last.Half != Train || last.Kind != Images {
			t.Errorf("%s: files %v; want all four, the training images last", s.Name, s.Files)
		}
	}
}

func TestPlainSize(t *testing.T) {
	// The sizes of MNIST's four files.
	for _, test := range []struct {
		f    File
		want int64
	}{
		{File{Kind: Images, Count: 10000}, 7840016},
		{File{Kind: Images, Count: 60000}, 47040016},
		{File{Kind: Labels, Count: 10000}, 10008},
		{File{Kind: Labels, Count: 60000}, 60008},
	} {
		if got := test.f.PlainSize(); got != test.want {
			t.Errorf("%d %s: %d bytes, want %d", test.f.Count, test.f.Kind, got, test.want)
		}
	}
}

func TestFind(t *testing.T) {
	if s, err := Public().Find("kmnist"); err != nil || s.Name != "kmnist" {
		t.Errorf("got %v, %v", s, err)
	}
	_, err := Public().Find("cifar")
	if want := `no data set "cifar": want one of mnist, fashion-mnist, kmnist`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
