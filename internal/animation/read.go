package animation

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"io"
	"slices"
)

// Read returns the frames of a GIF of the given size that Write has written, and
// refuses any other file. The delays are not read. The memory is bounded by the
// length of the file, of which no more than 2*MaxPixels bytes are read.
func Read(r io.Reader, size image.Point) (*Animation, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, 2*MaxPixels))
	if err != nil {
		return nil, err
	}
	begin, pictureBegin := head(size), descriptor(size)
	rest, ok := bytes.CutPrefix(data, begin)
	if !ok {
		return nil, fmt.Errorf("not a GIF of this program of %dx%d pixels", size.X, size.Y)
	}
	a := &Animation{size: size}
	for len(rest) == 0 || rest[0] != trailer {
		var f frame
		if f, rest, err = cutFrame(rest, pictureBegin); err != nil {
			return nil, fmt.Errorf("frame %d: %w", len(a.frames)+1, err)
		}
		if len(a.frames) == Room(size) {
			return nil, fmt.Errorf("more than %d frames of %dx%d", len(a.frames), size.X, size.Y)
		}
		// One frame at a time, so that little memory shows whether it is whole.
		if _, err := gif.Decode(bytes.NewReader(slices.Concat(begin, f.picture, []byte{trailer}))); err != nil {
			return nil, fmt.Errorf("frame %d: %w", len(a.frames)+1, err)
		}
		a.frames = append(a.frames, f)
	}
	if len(rest) != 1 {
		return nil, fmt.Errorf("%d bytes behind the end", len(rest)-1)
	}
	return a, nil
}

// cutFrame takes the next frame off b.
func cutFrame(b, pictureBegin []byte) (f frame, rest []byte, err error) {
	bad := errors.New("not as this program writes it, or cut short")
	if comment, ok := bytes.CutPrefix(b, []byte{introducer, commentLabel}); ok {
		n := blocksLen(comment)
		if n < 3 || n != int(comment[0])+2 { // one block, not empty
			return f, nil, bad
		}
		f.comment, b = string(comment[1:n-1]), comment[n:]
	}
	if len(b) < controlSize || !bytes.HasPrefix(b, control(0)[:4]) {
		return f, nil, bad
	}
	b = b[controlSize:]
	data, ok := bytes.CutPrefix(b, pictureBegin)
	n := blocksLen(data)
	if !ok || n < 0 {
		return f, nil, bad
	}
	n += len(pictureBegin)
	f.picture = b[:n:n]
	return f, b[n:], nil
}

// blocksLen is the length of the blocks that b begins with, -1 if they do not end
// in b.
func blocksLen(b []byte) int {
	for n := 0; n < len(b); {
		size := int(b[n])
		n += 1 + size
		if size == 0 {
			return n
		}
	}
	return -1
}
