// Package catalog knows the public data sets by name: their files, where these
// can be had, and by which digests they are told.
//
// What belongs here is that table, and checking files and directories against
// it. Bringing the files over the network is package fetch's business, reading
// them into memory package mnist's.
package catalog

import (
	"fmt"
	"strings"
)

// Covers says which bytes of a file a digest is of.
type Covers string

const (
	Inside Covers = "inside" // the plain IDX file, however it is packed
	Packed Covers = "packed" // the .gz file as its publisher serves it
)

// Digest is a SHA-256 in hex.
type Digest struct {
	Covers Covers
	SHA256 string
}

// Half and Kind say what the four files of a data set hold.
const (
	Train, Val     = "train", "val"
	Images, Labels = "images", "labels"
)

// File is one file of a data set.
type File struct {
	Name   string // as it is published, with .gz
	Half   string // Train or Val
	Kind   string // Images or Labels
	Count  int    // of images or labels
	Digest Digest
}

// Set is a data set of 28x28 grayscale images.
type Set struct {
	Name    string
	Mirrors []string // URLs of the folders that hold the files, the first to be tried first
	// Files are in the order in which to fetch them: the training images come
	// last, because a directory without them is no data set yet, and so half of
	// one never passes for the whole.
	Files []File
}

// side is the height and the width of all images.
const side = 28

// PlainSize is the number of bytes of the plain IDX file.
func (f File) PlainSize() int64 {
	if f.Kind == Labels {
		return 8 + int64(f.Count)
	}
	return 16 + int64(f.Count)*side*side
}

// Catalog lists data sets.
type Catalog []Set

// Public is the data sets that anyone can download.
//
// MNIST's digests were computed from its files. Those of Fashion-MNIST are
// published by several projects that unpacked archives of the MD5 that its
// authors give. For KMNIST only digests of the packed files are published, by
// TensorFlow Datasets among others.
func Public() Catalog {
	return Catalog{
		{
			Name: "mnist",
			Mirrors: []string{
				"https://storage.googleapis.com/cvdf-datasets/mnist/",
				"https://ossci-datasets.s3.amazonaws.com/mnist/",
			},
			Files: files(Inside,
				"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
				"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
				"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
				"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
		},
		{
			Name: "fashion-mnist",
			Mirrors: []string{
				"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
				"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
			},
			Files: files(Inside,
				"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
				"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
				"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
				"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
		},
		{
			Name: "kmnist",
			Mirrors: []string{
				"http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
				"https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
			},
			Files: files(Packed,
				"edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
				"20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
				"e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
				"51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
		},
	}
}

func files(covers Covers, valImages, valLabels, trainLabels, trainImages string) []File {
	return []File{
		{"t10k-images-idx3-ubyte.gz", Val, Images, 10000, Digest{covers, valImages}},
		{"t10k-labels-idx1-ubyte.gz", Val, Labels, 10000, Digest{covers, valLabels}},
		{"train-labels-idx1-ubyte.gz", Train, Labels, 60000, Digest{covers, trainLabels}},
		{"train-images-idx3-ubyte.gz", Train, Images, 60000, Digest{covers, trainImages}},
	}
}

// Names are the names of all data sets.
func (c Catalog) Names() []string {
	var names []string
	for _, s := range c {
		names = append(names, s.Name)
	}
	return names
}

// Find returns the data set of the given name.
func (c Catalog) Find(name string) (Set, error) {
	for _, s := range c {
		if s.Name == name {
			return s, nil
		}
	}
	return Set{}, fmt.Errorf("no data set %q: want one of %s", name, strings.Join(c.Names(), ", "))
}
