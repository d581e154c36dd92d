package imagefile

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"strings"
	"testing"
)

// chunk is a chunk of a PNG file.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// header is the beginning of a PNG file of w x h pixels.
func header(w, h uint32, depth, colour, interlace byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, w)
	b = binary.BigEndian.AppendUint32(b, h)
	return append([]byte(pngMagic), chunk("IHDR", append(b, depth, colour, 0, 0, interlace))...)
}

// sof is the beginning of a JPEG file of w x h pixels.
func sof(marker byte, w, h uint16, components byte) []byte {
	b := []byte{0xff, 0xd8, 0xff, marker, 0, 8 + 3*components, 8}
	b = binary.BigEndian.AppendUint16(b, h)
	b = append(binary.BigEndian.AppendUint16(b, w), components)
	for i := range components {
		b = append(b, i+1, 0x11, 0)
	}
	return append(b, 0xff, 0xda, 0, 2, 0xff, 0xd9)
}

// What a header asks for is refused where it is too much, before any memory is
// taken for it.
func TestHostileHeaders(t *testing.T) {
	want := Want{Height: 28, Width: 28, Resize: true}
	endless := append([]byte{0xff, 0xd8}, bytes.Repeat(append([]byte{0xff, 0xe1, 0xff, 0xff}, make([]byte, 0xfffd)...), 70)...)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"png, a huge side", header(2_000_000_000, 1, 8, 0, 0), "image is 1x2000000000 (height x width): must have at most 16384 pixels a side"},
		{"png, many pixels", header(16384, 16384, 8, 0, 0), "image is 16384x16384 (height x width): decoding it takes 512 MiB of memory: must be at most 96"},
		{"png, 64 bits a pixel", header(4096, 4096, 16, 6, 0), "image is 4096x4096 (height x width): decoding it takes 144 MiB of memory: must be at most 96"},
		{"png, interlaced", header(4096, 4096, 8, 6, 1), "image is 4096x4096 (height x width): decoding it takes 144 MiB of memory: must be at most 96"},
		{"png, within bounds", header(4096, 4096, 8, 6, 0), "decoding the PNG picture: unexpected EOF"},
		{"jpeg, many pixels", sof(0xc0, 16000, 16000, 3), "image is 16000x16000 (height x width): decoding it takes 1220 MiB of memory: must be at most 96"},
		{"jpeg, progressive", sof(0xc2, 4000, 2000, 3), "image is 2000x4000 (height x width): decoding it takes 160 MiB of memory: must be at most 96"},
		{"jpeg, within bounds", sof(0xc0, 4000, 2000, 3), "decoding the JPEG picture: "},
		{"jpeg, no pixels", sof(0xc0, 0, 0, 3), "image is 0x0 (height x width): it has no pixels"},
		{"jpeg, an endless header", endless, "the JPEG picture has more than 4194304 bytes before its pixels"},
	}
	for _, tt := range tests {
		_, _, err := readAs(tt.data, want)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}

// The bounds leave room for photographs of every day.
func TestPhotographFits(t *testing.T) {
	got, _, err := readAs(encodeJPEG(t, image.NewGray(image.Rect(0, 0, 4000, 3000))), Want{Height: 28, Width: 28, Resize: true})
	if err != nil || len(got) != 1 {
		t.Errorf("%d images, %v", len(got), err)
	}
}
