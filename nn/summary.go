package nn

// SummaryRow is one line of the model's table.
type SummaryRow struct {
	Name   string // the layer, as in its parameters' names, or a step without parameters
	Kind   string // as Keras calls it
	Output Shape  // of one sample
	Params int
}

// Summary lists the layers in the order in which a sample passes them, and the
// steps between them that have no parameters.
func (v *VAE) Summary() []SummaryRow {
	var rows []SummaryRow
	step := func(name, kind string, out Shape) {
		rows = append(rows, SummaryRow{Name: name, Kind: kind, Output: out})
	}
	in := Shape{v.Height, v.Width, 1}
	for _, part := range v.parts() {
		if part == &v.decoder {
			in = Vector(v.LatentDim)
			step("sampling", "Sampling", in)
		}
		for _, l := range part.layers {
			row := SummaryRow{Name: part.name + "." + l.name, Output: l.out}
			for _, p := range l.Params() {
				row.Params += p.Len()
			}
			// A dense layer flattens its input and shapes its output itself;
			// the table shows these as steps of their own.
			_, isDense := l.Layer.(*Dense)
			if isDense && in != Vector(in.Len()) {
				step("flatten", "Flatten", Vector(in.Len()))
			}
			switch l.Layer.(type) {
			case *Conv2D:
				row.Kind = "Conv2D"
			case *Conv2DTranspose:
				row.Kind = "Conv2DTranspose"
			case *Dense:
				row.Kind, row.Output = "Dense", Vector(l.out.Len())
			}
			rows = append(rows, row)
			if isDense && l.out != row.Output {
				step("reshape", "Reshape", l.out)
			}
			in = l.out
		}
	}
	return rows
}
