package conv

// padded is a batch of images with a border of zeros wide enough that every
// window lies inside. The border is written once, when the memory is made; load
// writes the images between.
type padded struct {
	h, w, c   int // of the image
	top, left int
	ph, pw    int // rows and columns with the border
	data      []float32
}

// newPadded returns zeros for n images with the given number of rows and
// columns before and after them.
func newPadded(n, h, w, c, top, bottom, left, right int) padded {
	p := padded{h: h, w: w, c: c, top: top, left: left, ph: top + h + bottom, pw: left + w + right}
	p.data = make([]float32, n*p.size())
	return p
}

// size is the length of an image with its border, and row that of a row.
func (p *padded) size() int { return p.ph * p.row() }
func (p *padded) row() int  { return p.pw * p.c }

// load copies the image x into the n-th place.
func (p *padded) load(n int, x []float32) {
	for r := range p.h {
		copy(p.data[p.at(n, r, 0):], x[r*p.w*p.c:(r+1)*p.w*p.c])
	}
}

// at is the index of the first channel at row h, column w of image n, which may
// lie in the border.
func (p *padded) at(n, h, w int) int {
	return n*p.size() + (p.top+h)*p.row() + (p.left+w)*p.c
}
