package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the id, the file is in the directory itself.
func TestPictureName(t *testing.T) {
	long := strings.Repeat("é", 150)
	tests := []struct{ id, want string }{
		{"a.png", "a.png"},
		{"digits/7.JPEG", "7.png"},
		{`C:\digits\7.jpg`, "7.png"},
		{"many.gz:69", "many.gz_69.png"},
		{"", "000003.png"},
		{"/", "000003.png"},
		{".png", "000003.png"},
		{"..", "_..png"},
		{"../../etc/passwd", "passwd.png"},
		{`..\..\boot.ini`, "boot.ini.png"},
		{".hidden", "_hidden.png"},
		{"a\x00b\nc\xff", "a_b_c_.png"},
		{`<>:"|?*`, "_______.png"},
		{"-rf", "-rf.png"},
		{long, strings.Repeat("é", 100) + ".png"},
	}
	for _, tt := range tests {
		got := pictureName(tt.id, 3)
		if got != tt.want || filepath.Base(got) != got || !filepath.IsLocal(got) {
			t.Errorf("%q: %q, want %q", tt.id, got, tt.want)
		}
	}
}
