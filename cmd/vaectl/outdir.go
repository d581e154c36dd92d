package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vaectl/grid"
	"vaectl/internal/atomicfile"
	"vaectl/internal/latent"
	"vaectl/nn"
)

// writeDir writes a PNG for each row; they appear in the directory once all are
// made.
func (o pictureOptions) writeDir(ctx context.Context, model *nn.VAE, rows latent.Reader) error {
	return atomicfile.WriteDir(o.outDir, func(dir string) error {
		n := 0
		return decodeRows(ctx, model, rows, func(id string, p []float32) error {
			n++
			sheet, err := grid.NewSheet(1, 1, model.Height, model.Width, o.scale)
			if err != nil {
				return fmt.Errorf("laying out the image: %w", err)
			}
			sheet.Set(0, p)
			name := pictureName(id, n)
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return &hintError{
					fmt.Errorf("row %d: id %.60q gives the file %s, which an earlier row has already", n, id, name),
					"give the rows ids that differ after the last slash, or none: then the row's number is the name",
				}
			}
			if err != nil {
				return err
			}
			if err := png.Encode(f, sheet.Image()); err != nil {
				f.Close()
				return err
			}
			return f.Close()
		})
	})
}

// pictureName makes a file's name of the last part of an id, without a picture's
// extension, or of the row's number if there is none. What some system does not
// take in a name, or takes in a sense of its own, becomes an underscore.
func pictureName(id string, row int) string {
	id = id[strings.LastIndexAny(id, `/\`)+1:]
	if ext := filepath.Ext(id); slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(ext)) {
		id = strings.TrimSuffix(id, ext)
	}
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, id)
	const longest = 200 // bytes, below any system's limit
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "")
	}
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	if name == "" {
		name = fmt.Sprintf("%06d", row)
	}
	name += ".png"
	if !filepath.IsLocal(name) { // a device of Windows
		name = "_" + name
	}
	return name
}
