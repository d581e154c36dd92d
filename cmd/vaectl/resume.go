package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"vaectl/internal/modelfile"
	"vaectl/mnist"
)

// toResume reads the state to go on from, takes its settings and where its data
// were, and refuses what on the command line contradicts it. Only flags for which given is true
// were on the command line.
func (o *trainOptions) toResume(files *trainFiles, given func(flag string) bool) (*modelfile.State, error) {
	s, err := files.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hintError{err, `without --resume a training begins; -m names the model of another`}
	}
	if err != nil {
		return nil, err
	}
	now, then := o.config, s.Config
	for _, f := range []struct {
		flag      string
		now, then any
	}{
		{"batch-size", now.BatchSize, then.BatchSize},
		{"optimizer", now.Optimizer, then.Optimizer},
		{"learning-rate", now.LearningRate, then.LearningRate},
		{"latent-dim", now.LatentDim, then.LatentDim},
		{"kl-weight", now.KLWeight, then.KLWeight},
		{"convolution", now.Convolution, then.Convolution},
		{"noise", now.Noise, then.Noise},
		{"seed", now.Seed, then.Seed},
		{"limit-train", now.LimitTrain, then.LimitTrain},
		{"limit-val", now.LimitVal, then.LimitVal},
		{"keep", now.Keep, then.Keep},
		{"patience", now.Patience, then.Patience},
		{"min-delta", now.MinDelta, then.MinDelta},
		{"reduce-on-plateau", o.reduce, then.PlateauPatience > 0},
		{"plateau-patience", now.PlateauPatience, then.PlateauPatience},
		{"plateau-factor", now.PlateauFactor, then.PlateauFactor},
	} {
		if given(f.flag) && f.now != f.then {
			return nil, &hintError{
				usagef("--%s is %v, but the training in %s has %v", f.flag, f.now, files.state, f.then),
				"leave the flag out, or begin anew with --overwrite in place of --resume",
			}
		}
	}
	if given("epochs") {
		begun := len(s.History)
		if s.Position.Step > 0 {
			begun++
		}
		if now.Epochs < begun {
			return nil, usagef("--epochs is %d, but the training in %s is in epoch %d", now.Epochs, files.state, begun)
		}
		s.Config.Epochs = now.Epochs
	}
	if !given("data") {
		o.data = s.Source
	}
	return s, nil
}

// resumeCommand is the command line that goes on with this training.
func (o *trainOptions) resumeCommand(given func(flag string) bool) string {
	command := "vaectl train --resume"
	if given("model") {
		command += " -m " + shellWord(o.model)
	}
	if o.film.path != "" {
		command += " --film " + shellWord(o.film.path)
		if o.film.every > 0 {
			command += fmt.Sprintf(" --film-every %d", o.film.every)
		}
	}
	return command
}

// source is where a resumed training finds the data again that --data named.
func (o *trainOptions) source(data *mnist.Dataset) (string, error) {
	switch {
	case data.Name == "sample":
		return "sample", nil // whatever else auto may find by then
	case o.data == "auto":
		return o.data, nil
	}
	return filepath.Abs(o.data)
}

// shellWord quotes s where a shell would not take it as it is.
func shellWord(s string) string {
	special := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("%+,-./:=@_", r))
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
