package modelfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// formatVersion is the version written. Of model files, version 1 is read too: it
// has no weights_epoch, and its config need not have the keys that say since:"2".
const formatVersion = 2

// about is what a model file and a training state both say beside their tensors.
type about struct {
	Config  Config
	History []Epoch
	Data    Data
}

// encode returns the metadata of a file of the given format.
func (a about) encode(format string) (map[string]string, error) {
	meta := map[string]string{"format": format, "format_version": strconv.Itoa(formatVersion)}
	if a.History == nil {
		a.History = []Epoch{} // "[]", not "null"
	}
	for key, v := range map[string]any{"config": a.Config, "history": a.History, "data": a.Data} {
		if err := encodeJSON(meta, key, v); err != nil {
			return nil, err
		}
	}
	return meta, nil
}

func encodeJSON(meta map[string]string, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	meta[key] = string(text)
	return nil
}

// decodeAbout is the inverse of encode, for a file of the given version.
func decodeAbout(meta map[string]string, version int) (about, error) {
	a := about{Config: Config{Convolution: "direct", Keep: KeepLast}} // as in version 1
	if err := decodeJSON(meta, "config", &a.Config, version); err != nil {
		return a, err
	}
	if err := decodeJSON(meta, "data", &a.Data, version); err != nil {
		return a, err
	}
	text, err := metaJSON(meta, "history")
	if err != nil {
		return a, err
	}
	rows, err := decodeArray(text)
	if err != nil {
		return a, fmt.Errorf("history: %w", err)
	}
	for i, row := range rows {
		var e Epoch
		if err := decodeObject(row, &e, version); err != nil {
			return a, fmt.Errorf("history: row %d: %w", i+1, err)
		}
		a.History = append(a.History, e)
	}
	return a, a.validate()
}

// decodeJSON decodes the JSON object that a key of the metadata holds.
func decodeJSON(meta map[string]string, key string, v any, version int) error {
	text, err := metaJSON(meta, key)
	if err != nil {
		return err
	}
	if err := decodeObject(text, v, version); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func metaJSON(meta map[string]string, key string) ([]byte, error) {
	text, ok := meta[key]
	if !ok {
		return nil, fmt.Errorf("%s is missing from the metadata", key)
	}
	if err := checkJSON([]byte(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return []byte(text), nil
}

// validate checks what writing and reading both insist on.
func (a about) validate() error {
	if err := a.Config.Validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := a.Data.Validate(); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if a.Config.Keep == KeepBest && a.Data.Val == 0 {
		return fmt.Errorf("config: keep is %q: must be %q where there is no validation set", KeepBest, KeepLast)
	}
	if len(a.History) > a.Config.Epochs {
		return fmt.Errorf("history: %d rows for %d epochs", len(a.History), a.Config.Epochs)
	}
	for i, e := range a.History {
		if e.Epoch != i+1 {
			return fmt.Errorf("history: row %d is epoch %d: must be %d", i+1, e.Epoch, i+1)
		}
		if err := e.validate(); err != nil {
			return fmt.Errorf("history: epoch %d: %w", e.Epoch, err)
		}
	}
	return nil
}

// checkFormat tells another program's file and a later version's from the wanted
// format, of which versions from oldest on are read, and returns the version.
func checkFormat(meta map[string]string, wanted, what string, oldest int) (int, error) {
	name, ok := meta["format"]
	if !ok {
		return 0, fmt.Errorf("a safetensors file, but not a vaectl %s: its metadata names no format", what)
	}
	if name != wanted {
		return 0, fmt.Errorf("a safetensors file, but not a vaectl %s: its metadata names the format %s", what, quote(name))
	}
	version, ok := meta["format_version"]
	if !ok {
		return 0, errors.New("format_version is missing")
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < oldest || version != strconv.Itoa(n) {
		return 0, fmt.Errorf("format_version is %s: must be a whole number from %d to %d", quote(version), oldest, formatVersion)
	}
	if n > formatVersion {
		return 0, fmt.Errorf("format version %d is newer than this vaectl, which reads up to version %d", n, formatVersion)
	}
	return n, nil
}
