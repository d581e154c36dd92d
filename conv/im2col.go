package conv

// Im2col writes the column matrix of one image: row oh*OutW+ow of col
// [Pixels, Window] is the window of x [InH, InW, InC] under output pixel
// (oh, ow), in the kernel's order kh, kw, c, with zeros outside the image.
func Im2col(g Geometry, col, x []float32) {
	for oh := range g.OutH {
		for ow := range g.OutW {
			row := col[(oh*g.OutW+ow)*g.Window():][:g.Window()]
			for kh := range g.KH {
				segment := row[kh*g.KW*g.InC:][:g.KW*g.InC]
				before, src := g.span(x, oh, ow, kh)
				clear(segment[:before])
				n := copy(segment[before:], src)
				clear(segment[before+n:])
			}
		}
	}
}

// Col2im is the adjoint of Im2col: it overwrites x with the sum, for every
// input pixel, of the entries of col that Im2col copies the pixel to.
func Col2im(g Geometry, x, col []float32) {
	clear(x[:g.In()])
	for oh := range g.OutH {
		for ow := range g.OutW {
			row := col[(oh*g.OutW+ow)*g.Window():][:g.Window()]
			for kh := range g.KH {
				before, dst := g.span(x, oh, ow, kh)
				src := row[kh*g.KW*g.InC+before:][:len(dst)]
				for i, v := range src {
					dst[i] += v
				}
			}
		}
	}
}

// span is the part of row kh of the window under output pixel (oh, ow) that
// lies within the image, and the number of padding values before it.
func (g Geometry) span(x []float32, oh, ow, kh int) (before int, inside []float32) {
	h := oh*g.Stride - g.PadTop + kh
	w := ow*g.Stride - g.PadLeft
	lo, hi := max(w, 0), min(w+g.KW, g.InW)
	if h < 0 || h >= g.InH || lo >= hi {
		return 0, nil
	}
	return (lo - w) * g.InC, x[(h*g.InW+lo)*g.InC : (h*g.InW+hi)*g.InC]
}
