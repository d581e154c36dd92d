package imagefile

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Files lists the files that arg stands for. Where a file has that name, it is
// the one. A directory stands for the pictures and the IDX files of images in it
// and below, as their names tell, in the order of the names; what is hidden is
// passed over. A name with *, ? or [ that no file has stands for those that match
// it, so that a pattern in quotes works as the shell's own.
func Files(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err == nil && info.IsDir() {
		return walk(arg)
	}
	if err == nil || !strings.ContainsAny(arg, "*?[") {
		return []string{arg}, nil // opening it will tell what is wrong
	}
	matches, err := filepath.Glob(arg)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", arg, err)
	}
	var files []string
	for _, name := range matches {
		if hidden(name, arg) {
			continue
		}
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			files = append(files, name)
			continue
		}
		below, err := walk(name)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file matches %q", arg)
	}
	return files, nil
}

// hidden reports whether a part of name begins with a dot that the pattern does
// not ask for: filepath.Glob, unlike a shell, has * stand for that too.
func hidden(name, pattern string) bool {
	asked := strings.Split(filepath.ToSlash(pattern), "/")
	for i, part := range strings.Split(filepath.ToSlash(name), "/") {
		if strings.HasPrefix(part, ".") && i < len(asked) && !strings.HasPrefix(asked[i], ".") {
			return true
		}
	}
	return false
}

// walk lists the image files in dir and below.
func walk(dir string) (files []string, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dotted := strings.HasPrefix(path.Base(name), ".") && name != "."
		switch {
		case dotted && d.IsDir():
			return fs.SkipDir
		case !dotted && !d.IsDir() && isImageName(name):
			files = append(files, filepath.Join(dir, filepath.FromSlash(name)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("directory %s: no images: looked for .png, .jpg and .jpeg pictures, and IDX files named ...idx3-ubyte, plain or .gz", dir)
	}
	return files, nil
}

func isImageName(name string) bool {
	if slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(path.Ext(name))) {
		return true
	}
	return strings.HasSuffix(strings.TrimSuffix(name, ".gz"), "idx3-ubyte")
}
