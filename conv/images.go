package conv

// Border is a frame of zeros around an image, in pixels.
type Border struct{ Top, Bottom, Left, Right int }

// covers reports whether b is at least as wide as o on every side.
func (b Border) covers(o Border) bool {
	return b.Top >= o.Top && b.Bottom >= o.Bottom && b.Left >= o.Left && b.Right >= o.Right
}

// Images is a batch of images [n, H, W, C], each of which may lie within a
// border of zeros: a product then reads windows that reach beyond the image
// where they are, and a result is written without touching the border.
type Images struct {
	Data    []float32
	H, W, C int
	Border
}

// Size is the length of one image with its border.
func (m Images) Size() int { return (m.Top + m.H + m.Bottom) * m.row() }

// row is the length of one row with its border.
func (m Images) row() int { return (m.Left + m.W + m.Right) * m.C }

// at is the index of the first channel at row h, column w of image n, which may
// lie in the border.
func (m Images) at(n, h, w int) int {
	return n*m.Size() + (m.Top+h)*m.row() + (m.Left+w)*m.C
}

// load copies image n of src, of the same size, into its place.
func (m Images) load(n int, src Images) {
	for h := range m.H {
		copy(m.Data[m.at(n, h, 0):], src.Data[src.at(n, h, 0):][:m.W*m.C])
	}
}
