package mnist

import (
	"fmt"
	"io"
)

// WriteImagesHeader writes the beginning of a plain IDX file of count images of
// rows x cols; the caller writes the pixels after it, a byte each.
func WriteImagesHeader(w io.Writer, count, rows, cols int) error {
	if count < 1 || count > maxCount || rows < 1 || cols < 1 || rows > maxSide || cols > maxSide {
		return fmt.Errorf("writing %d images of %dx%d: want 1 to %d images of 1 to %d rows and columns", count, rows, cols, maxCount, maxSide)
	}
	if err := writeIDX(w, magicImages, nil, count, rows, cols); err != nil {
		return fmt.Errorf("writing images: %w", err)
	}
	return nil
}
