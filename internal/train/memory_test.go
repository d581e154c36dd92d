package train

import (
	"strings"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/nn"
)

func TestSizeIsRefused(t *testing.T) {
	const gb = 1_000_000_000
	tests := []struct {
		name                string
		side, latent, batch int
		available           int64
		want                string // "" if it is accepted
	}{
		{"MNIST", 28, 2, 16, gb, ""},
		{"large batches", 28, 2, 4096, 8 * gb, ""},
		{"large batches on a small machine", 28, 2, 4096, 2 * gb, "batches of 4096 images of 28x28 need about 5.1 GB of memory, and this machine has 2.0 GB"},
		{"large images", 900, 2, 1, 32 * gb, ""},
		{"large batches of large images", 900, 2, 4096, 256 * gb, "batches of 4096 images of 900x900 need about 43"},
		{"largest images", 4096, 1024, 1, 1 << 60, "images of 4096x4096 and 1024 latent dimensions make a model of 1134.9 GB: a model file holds at most 2.1 GB"},
		{"largest batches of largest images", 4096, 1024, 65536, 1 << 60, "images of 4096x4096"},
		{"larger than any file", 1024, 2, 1, 1 << 60, "images of 1024x1024 and 2 latent dimensions make a model of 2.3 GB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := modelfile.Config{Height: tt.side, Width: tt.side, LatentDim: tt.latent, Noise: "book", Convolution: "direct", BatchSize: tt.batch}
			model, err := nn.New(ModelConfig(c))
			if err != nil {
				t.Fatal(err)
			}
			err = checkSize(c, model, isa.AVX2, 2, tt.available)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
