package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"vaectl/internal/modelfile"
	"vaectl/internal/parallel"
	"vaectl/internal/train"
	"vaectl/nn"
)

// activationMemory bounds what the images of a batch take on their way through
// the model, in bytes: it lets MNIST's have any batch, and makes those of a model
// of large images smaller.
const activationMemory = 256 << 20

// loadModel reads a model file and prepares it for batches of the given size, or
// of fewer images if these are large. The pool's workers do the work and must be
// closed by the caller.
func loadModel(c *console, path string, batch int) (*nn.VAE, *parallel.Pool, error) {
	file, err := readModel(path)
	if err != nil {
		return nil, nil, err
	}
	return bindModel(c, path, file, batch)
}

// bindModel prepares what readModel has read from path in the same way.
func bindModel(c *console, path string, file *modelfile.Model, batch int) (*nn.VAE, *parallel.Pool, error) {
	model, err := nn.New(train.ModelConfig(file.Config))
	if err != nil {
		return nil, nil, fmt.Errorf("building the model of %s: %w", path, err)
	}
	pool := parallel.New(0)
	image := model.Memory(pool.Workers(), c.tier, 1, false) - model.Memory(pool.Workers(), c.tier, 0, false)
	batch = min(batch, max(1, int(activationMemory/image)))
	model.Bind(pool, c.tier, batch, false)
	for i, p := range model.Params() {
		copy(p.Data, file.Tensors[i].Data)
	}
	return model, pool, nil
}

func readModel(path string) (*modelfile.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, modelOpenError(err)
	}
	defer f.Close()
	m, err := modelfile.Read(f, train.Layout)
	if err != nil {
		return nil, fmt.Errorf("reading the model %s: %w", path, err)
	}
	return m, nil
}

// modelOpenError says what to do where there is no model.
func modelOpenError(err error) error {
	wrapped := fmt.Errorf("reading the model: %w", err)
	if errors.Is(err, fs.ErrNotExist) {
		return &hintError{wrapped, `"vaectl train" makes one; -m names another`}
	}
	return wrapped
}
