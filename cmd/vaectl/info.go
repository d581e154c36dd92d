package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vaectl/internal/modelfile"
	"vaectl/internal/train"
	"vaectl/nn"
)

type infoOptions struct {
	model, output string
	json          bool
}

func newInfoCommand(c *console) *cobra.Command {
	var o infoOptions
	cmd := &cobra.Command{
		Use:   "info [MODEL]",
		Short: "Show what a model file, or a training's state, holds",
		Long: `Show what a model file holds: the table of its layers, the settings and the data
it was trained with, and its history, a row an epoch. "-" reads stdin. Of a training's
state, which is the model's name with .state, it shows the same and how far it is.

The whole file is read and checked. --json prints one object with the keys

    file          the file's name, "stdin" for "-"
    kind          "model" or "training state"
    bytes         the file's size
    parameters    the number of weights
    layers        name, kind, output (height, width, channels; or one length)
                  and parameters of each
    config        the settings, as the model file has them
    data          the training data, as the model file has it
    history       the losses, an object an epoch, as the model file has them
    best          the object of history with the lowest val_loss, or the lowest
                  loss where there is no validation set; null before epoch 1
    weights_epoch the epoch whose weights a model has; null for a state
    position      epoch, step and steps of a state: the epoch at hand and how many
                  of its steps are done; null for a model`,
		Example: `  vaectl info
  vaectl info five.safetensors
  vaectl info --json | jq .best.val_loss`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeFiles("safetensors", "state"),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if len(paths) > 0 {
				if cmd.Flags().Changed("model") {
					return usagef("two models are named, %q and --model %q: one is accepted", paths[0], o.model)
				}
				o.model = paths[0]
			}
			return runInfo(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runInfo(ctx context.Context, c *console, o infoOptions) error {
	in, name, err := openInput(ctx, c, o.model)
	if err != nil {
		return modelOpenError(err)
	}
	defer in.Close()
	info, err := readInfo(in)
	if err != nil {
		return readingError("the model", name, err)
	}
	info.File = name
	return writeOutput(c, o.output, false, func(w io.Writer) error {
		if o.json {
			return writeJSON(w, info)
		}
		return printInfo(w, info)
	})
}

// modelInfo is what info shows. The JSON keys are documented in its help.
type modelInfo struct {
	File       string            `json:"file"`
	Kind       string            `json:"kind"`
	Bytes      int64             `json:"bytes"`
	Parameters int               `json:"parameters"`
	Layers     []layerInfo       `json:"layers"`
	Config     modelfile.Config  `json:"config"`
	Data       modelfile.Data    `json:"data"`
	History    []modelfile.Epoch `json:"history"`
	Best       *modelfile.Epoch  `json:"best"`

	WeightsEpoch *int          `json:"weights_epoch"`
	Position     *positionInfo `json:"position"`

	summary []nn.SummaryRow // Layers, for people
}

type positionInfo struct {
	Epoch int `json:"epoch"`
	Step  int `json:"step"`
	Steps int `json:"steps"`
}

type layerInfo struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Output     []int  `json:"output"` // [height, width, channels] or [length]
	Parameters int    `json:"parameters"`
}

// readInfo reads a model file or a training's state to the end of in.
func readInfo(in io.Reader) (*modelInfo, error) {
	buffered := bufio.NewReaderSize(in, modelfile.StateHead)
	head, err := buffered.Peek(modelfile.StateHead)
	if err != nil && err != io.EOF {
		return nil, err
	}
	counted := &countingReader{r: buffered}
	if !modelfile.IsState(head) {
		m, err := modelfile.Read(counted, train.Layout)
		if err != nil {
			return nil, err
		}
		info, err := newInfo("model", counted, m.Config, m.Data, m.History)
		if err == nil {
			info.WeightsEpoch = &m.WeightsEpoch
		}
		return info, err
	}
	s, err := modelfile.ReadState(counted, train.StateLayout)
	if err != nil {
		return nil, err
	}
	info, err := newInfo("training state", counted, s.Config, s.Data, s.History)
	if err == nil {
		info.Position = &positionInfo{len(s.History) + 1, s.Position.Step, s.Steps()}
	}
	return info, err
}

// newInfo describes the model that a file of the given kind holds.
func newInfo(kind string, read *countingReader, config modelfile.Config, data modelfile.Data, history []modelfile.Epoch) (*modelInfo, error) {
	model, err := nn.New(train.ModelConfig(config))
	if err != nil {
		return nil, err
	}
	info := &modelInfo{
		Kind: kind, Bytes: read.n, Config: config, Data: data,
		History: history, Best: bestEpoch(history), summary: model.Summary(),
	}
	if info.History == nil {
		info.History = []modelfile.Epoch{} // "[]", not "null"
	}
	for _, r := range info.summary {
		out := []int{r.Output.H, r.Output.W, r.Output.C}
		if r.Output == nn.Vector(r.Output.C) {
			out = out[2:]
		}
		info.Layers = append(info.Layers, layerInfo{r.Name, r.Kind, out, r.Params})
		info.Parameters += r.Params
	}
	return info, nil
}

// bestEpoch is the first epoch of the lowest val_loss, or of the lowest loss
// where none was validated; nil if there is no epoch.
func bestEpoch(history []modelfile.Epoch) *modelfile.Epoch {
	if best := modelfile.BestEpoch(history); best > 0 {
		return &history[best-1]
	}
	var best *modelfile.Epoch
	for i := range history {
		if e := &history[i]; best == nil || e.Loss < best.Loss {
			best = e
		}
	}
	return best
}

func printInfo(w io.Writer, info *modelInfo) error {
	out := bufio.NewWriter(w)
	at := fmt.Sprintf("after epoch %d of %d", len(info.History), info.Config.Epochs)
	switch p := info.Position; {
	case p != nil && p.Step > 0:
		at = fmt.Sprintf("in epoch %d of %d, %d of its %d steps done", p.Epoch, info.Config.Epochs, p.Step, p.Steps)
	case info.WeightsEpoch != nil && *info.WeightsEpoch != len(info.History):
		at += fmt.Sprintf(", with the weights of epoch %d", *info.WeightsEpoch)
	}
	fmt.Fprintf(out, "%s: a %s %s, %s bytes\n\n", info.File, info.Kind, at, thousands(int(info.Bytes)))
	printSummary(out, info.summary)
	for _, part := range []struct {
		title string
		v     any
	}{{"Settings", info.Config}, {"Data", info.Data}} {
		fmt.Fprintf(out, "\n%s\n", part.title)
		fields, err := jsonFields(part.v)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, f := range fields {
			fmt.Fprintf(t, "  %s\t%s\n", f.key, f.text)
		}
		t.Flush()
	}
	if info.Best != nil {
		fmt.Fprintln(out, "\nHistory")
		if err := printHistory(out, info.History, info.Best); err != nil {
			return err
		}
	}
	return out.Flush()
}

// printHistory prints a row an epoch under the keys of the file, and marks the
// best.
func printHistory(w io.Writer, history []modelfile.Epoch, best *modelfile.Epoch) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, e := range history {
		fields, err := jsonFields(e)
		if err != nil {
			return err
		}
		var keys, texts []string
		for _, f := range fields {
			if strings.ContainsAny(f.text, ".e") {
				if x, err := strconv.ParseFloat(f.text, 64); err == nil {
					f.text = strconv.FormatFloat(x, 'f', 4, 64)
				}
			}
			keys, texts = append(keys, f.key), append(texts, f.text)
		}
		if i == 0 {
			fmt.Fprintf(t, "  %s\n", strings.Join(keys, "\t"))
		}
		mark := ""
		if e.Epoch == best.Epoch {
			mark = "\tbest"
		}
		fmt.Fprintf(t, "  %s%s\n", strings.Join(texts, "\t"), mark)
	}
	return t.Flush()
}

// field is a key of a JSON object and its value for people: without the quotes
// of a string, and empty for null.
type field struct{ key, text string }

// jsonFields lists the fields of a struct as JSON has them, so that what is
// printed keeps step with what the model file holds.
func jsonFields(v any) ([]field, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil { // {
		return nil, err
	}
	var fields []field
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		f := field{key: fmt.Sprint(key)}
		if err := json.Unmarshal(raw, &f.text); err != nil {
			f.text = string(raw)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// countingReader counts the bytes that pass.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
