package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"vaectl/internal/imagefile"
	"vaectl/mnist"
)

// imageSource hands out images one by one, and io.EOF after the last. An id is
// the name of the image's file, or of its half of the data set, with the image's
// number after a colon where there are many.
type imageSource interface {
	next(dst []byte) (id, label string, err error)
}

// splitSource is the images of half a data set.
type splitSource struct {
	split  *mnist.Split
	images imagefile.Reader
	n      int
}

func newSplitSource(split *mnist.Split, want imagefile.Want) (*splitSource, error) {
	images, err := imagefile.NewImages(&split.Images, want)
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	return &splitSource{split: split, images: images}, nil
}

func (s *splitSource) next(dst []byte) (id, label string, err error) {
	if err := s.images.Next(dst); err != nil {
		return "", "", err
	}
	if s.split.Labels != nil {
		label = strconv.Itoa(int(s.split.Labels[s.n]))
	}
	id = fmt.Sprintf("%s:%d", s.split.Name, s.n)
	s.n++
	return id, label, nil
}

// fileSource is the images of files, directories and patterns, one file open at
// a time.
type fileSource struct {
	ctx  context.Context
	c    *console
	want imagefile.Want
	args []string // still to be looked at
	todo []string // files that the latest of them stands for

	file   io.Closer
	name   string
	images imagefile.Reader // nil between two files
	n      int              // images of this file so far
}

func (s *fileSource) next(dst []byte) (id, label string, err error) {
	for {
		if s.images == nil {
			if err := s.open(); err != nil {
				return "", "", err
			}
		}
		err := s.images.Next(dst)
		if err == nil {
			break
		}
		if !errors.Is(err, io.EOF) {
			return "", "", readingError("images", s.name, err)
		}
		s.file.Close()
		s.file, s.images = nil, nil
	}
	id = s.name
	if s.images.Many() {
		id = fmt.Sprintf("%s:%d", s.name, s.n)
	}
	s.n++
	return id, "", nil
}

// open opens the next file.
func (s *fileSource) open() error {
	path, err := s.nextFile()
	if err != nil {
		return err
	}
	in, name, err := openInput(s.ctx, s.c, path)
	if err != nil {
		return fmt.Errorf("reading images: %w", err)
	}
	s.file, s.name, s.n = in, name, 0
	if s.images, err = imagefile.NewReader(in, s.want); err != nil {
		return readingError("images", name, err)
	}
	return nil
}

func (s *fileSource) nextFile() (string, error) {
	if len(s.todo) == 0 {
		if len(s.args) == 0 {
			return "", io.EOF
		}
		arg := s.args[0]
		s.args, s.todo = s.args[1:], []string{arg}
		if arg != "-" {
			var err error
			if s.todo, err = imagefile.Files(arg); err != nil {
				return "", fmt.Errorf("reading images: %w", err)
			}
		}
	}
	path := s.todo[0]
	s.todo = s.todo[1:]
	return path, nil
}

// headSource ends after a number of images.
type headSource struct {
	imageSource
	left int
}

func (h *headSource) next(dst []byte) (id, label string, err error) {
	if h.left == 0 {
		return "", "", io.EOF
	}
	h.left--
	return h.imageSource.next(dst)
}
