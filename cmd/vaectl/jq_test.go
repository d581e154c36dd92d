package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/itchyny/gojq"
)

// runJQ is the jq of the documents' examples, so that the tests need none on the
// machine: "jq [-c] [-r] [-s] FILTER [FILE...]".
func runJQ() int {
	flags := flag.NewFlagSet("jq", flag.ExitOnError)
	compact := flags.Bool("c", false, "a value a line")
	raw := flags.Bool("r", false, "strings without quotes")
	slurp := flags.Bool("s", false, "all values as one array")
	both := flags.Bool("rs", false, "-r -s")
	flags.Parse(os.Args[1:])
	if *both {
		*raw, *slurp = true, true
	}
	if err := filter(flags.Args(), *compact, *raw, *slurp); err != nil {
		fmt.Fprintf(os.Stderr, "jq: %v\n", err)
		return 5
	}
	return 0
}

func filter(args []string, compact, raw, slurp bool) error {
	if len(args) == 0 {
		return errors.New("no filter")
	}
	query, err := gojq.Parse(args[0])
	if err != nil {
		return err
	}
	values, err := readValues(args[1:])
	if err != nil {
		return err
	}
	if slurp {
		values = []any{values}
	}
	for _, value := range values {
		for results := query.Run(value); ; {
			result, ok := results.Next()
			if !ok {
				break
			}
			if err, failed := result.(error); failed {
				return err
			}
			if err := printValue(result, compact, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// readValues reads the JSON values of the files, of stdin where none is named.
func readValues(paths []string) ([]any, error) {
	readers := []io.Reader{os.Stdin}
	if len(paths) > 0 {
		readers = nil
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		readers = append(readers, f)
	}
	values := []any{}
	for d := json.NewDecoder(io.MultiReader(readers...)); ; {
		var value any
		if err := d.Decode(&value); err == io.EOF {
			return values, nil
		} else if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
}

func printValue(value any, compact, raw bool) error {
	if s, ok := value.(string); ok && raw {
		fmt.Println(s)
		return nil
	}
	text, err := gojq.Marshal(value)
	if err == nil && !compact {
		text, err = json.MarshalIndent(json.RawMessage(text), "", "  ")
	}
	fmt.Printf("%s\n", text)
	return err
}
