package latent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ndjsonWriter writes an object a line. A label that is a whole number becomes a
// JSON number, so that jq's .label == 7 works, and one that is not known null.
type ndjsonWriter struct{ e *json.Encoder }

type jsonRow struct {
	ID     string    `json:"id"`
	Label  any       `json:"label"`
	Z      []float32 `json:"z"`
	LogVar []float32 `json:"log_var,omitempty"`
}

func newNDJSONWriter(w io.Writer) ndjsonWriter {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return ndjsonWriter{e}
}

func (n ndjsonWriter) Write(r Row) error {
	row := jsonRow{ID: r.ID, Z: r.Z, LogVar: r.LogVar}
	if number, err := strconv.Atoi(r.Label); err == nil && strconv.Itoa(number) == r.Label {
		row.Label = number
	} else if r.Label != "" {
		row.Label = r.Label
	}
	return n.e.Encode(row)
}

func (ndjsonWriter) Flush() error { return nil }
func (ndjsonWriter) Close() error { return nil }

// ndjsonReader reads objects with the array z and, where they are there, id and
// label, each a string, a number or null; other keys are passed over. Objects
// may span lines, as jq prints them.
type ndjsonReader struct {
	in     *input
	d      *json.Decoder
	dim    int
	rows   int
	object map[string]json.RawMessage
	z      []json.RawMessage
}

func newNDJSONReader(in *input, dim int) *ndjsonReader {
	return &ndjsonReader{in: in, d: json.NewDecoder(in), dim: dim}
}

func (n *ndjsonReader) Read(row *Row) error {
	n.in.nextRow()
	clear(n.object)
	err := n.d.Decode(&n.object)
	switch {
	case errors.Is(err, io.EOF) && n.rows == 0:
		return errNoRows
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	n.rows++
	if err == nil {
		err = n.fill(row)
	}
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLongRow):
		return fmt.Errorf("row %d is %w", n.rows, err)
	case errors.As(err, &wrongType):
		return fmt.Errorf("row %d is a JSON %s: must be an object", n.rows, wrongType.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("row %d: the input ends within the object", n.rows)
	}
	return fmt.Errorf("row %d: %w", n.rows, err)
}

func (n *ndjsonReader) fill(row *Row) error {
	*row = Row{Z: row.Z[:0]}
	var err error
	if row.ID, err = n.text("id"); err != nil {
		return err
	}
	if row.Label, err = n.text("label"); err != nil {
		return err
	}
	z, ok := n.object["z"]
	if !ok {
		return fmt.Errorf("no z: must be an array of %d numbers", n.dim)
	}
	n.z = n.z[:0]
	if err := json.Unmarshal(z, &n.z); err != nil {
		return fmt.Errorf("z is %.40s: must be an array of %d numbers", z, n.dim)
	}
	if len(n.z) != n.dim {
		return fmt.Errorf("z has %d numbers: the model takes %d", len(n.z), n.dim)
	}
	for i, text := range n.z {
		x, err := parse(string(text))
		if err != nil {
			return fmt.Errorf("z[%d] is %w", i, err)
		}
		row.Z = append(row.Z, x)
	}
	return nil
}

// text returns the string or the number under key, "" for null or nothing.
func (n *ndjsonReader) text(key string) (string, error) {
	raw, ok := n.object[key]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String(), nil
	}
	return "", fmt.Errorf("%s is %.40s: must be a string or a number", key, raw)
}
