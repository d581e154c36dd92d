// Package latent reads and writes rows of latent vectors, the table that encode
// prints and decode reads: an id, a label where one is known, and z.
//
// Each text format has a file of its own with its Writer and its Reader; what
// the numbers mean is the caller's business.
package latent

// Row is one image's place in the latent space.
type Row struct {
	ID     string
	Label  string // empty where it is not known
	Z      []float32
	LogVar []float32 // empty unless asked for
}

// A Writer writes rows one after another. Flush must be called after the last.
type Writer interface {
	Write(Row) error
	Flush() error
}

// A Reader reads rows one after another. Read overwrites the row, whose Z is
// valid until the next call, and returns io.EOF after the last.
type Reader interface {
	Read(*Row) error
}
