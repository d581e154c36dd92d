package mnist

import (
	"embed"
	"fmt"
	"io/fs"
)

// The files are named as MNIST's are; sample/README.md says where they come
// from.
//
//go:embed sample/*.gz
var sampleFiles embed.FS

// Sample is the data set in the program itself: the first 10,000 training
// digits of MNIST with their labels, 9,000 to train and 1,000 to validate. The
// cut never changes. Both halves hold each digit in the same share, and mixed
// so that the first n images of a half do too, give or take one of each.
func Sample() (*Dataset, error) {
	files, err := fs.Sub(sampleFiles, "sample")
	if err != nil {
		return nil, fmt.Errorf("embedded sample: %w", err)
	}
	d, err := load(files)
	if err != nil {
		return nil, fmt.Errorf("embedded sample: %w", err)
	}
	return d, nil
}
