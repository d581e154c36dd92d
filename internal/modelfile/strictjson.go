package modelfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// encoding/json takes the last of repeated keys, matches keys whatever their case,
// leaves a field alone that is missing or null, and mends bad UTF-8. So a file
// could mean one thing here and another to the next reader; the functions below
// refuse such files.

// maxDepth is the deepest nesting in a file: header, tensor, shape.
const maxDepth = 3

// checkJSON checks that data is one JSON value in UTF-8, nested no deeper than
// maxDepth, with no key twice in one object.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not valid UTF-8")
	}
	if !json.Valid(data) {
		return errors.New("not valid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return checkKeys(dec, 0)
}

// checkKeys does so for the next value of dec, which is inside depth others.
func checkKeys(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := token.(string)
			if seen[key] {
				return fmt.Errorf("key %s is there twice", quote(key))
			}
			seen[key] = true
		}
		if err := checkKeys(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing bracket
	return err
}

// decodeObject decodes a JSON object that has passed checkJSON into the struct
// that v points to. Every field's key must be there, and null only for a pointer;
// keys without a field are passed over. Fields since a later version than that of
// the file may be missing, and keep what they hold.
func decodeObject(data []byte, v any, version int) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return errors.New("must be a JSON object")
	}
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		tag := s.Type().Field(i).Tag
		key, field := tag.Get("json"), s.Field(i)
		text, ok := object[key]
		if !ok {
			if since, err := strconv.Atoi(tag.Get("since")); err == nil && since > version {
				continue
			}
			return fmt.Errorf("%s is missing", key)
		}
		null := string(text) == "null" && field.Kind() != reflect.Pointer
		if err := json.Unmarshal(text, field.Addr().Interface()); err != nil || null {
			return fmt.Errorf("%s is %s: must be %s", key, clip(string(text)), accepted(field.Kind()))
		}
	}
	return nil
}

func accepted(k reflect.Kind) string {
	switch k {
	case reflect.Int:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0 to 2^64-1"
	case reflect.String:
		return "a string"
	case reflect.Pointer:
		return "a finite number or null"
	case reflect.Struct:
		return "40 hexadecimal digits, the state of a random stream"
	default:
		return "a finite number"
	}
}

// decodeArray splits a JSON array that has passed checkJSON.
func decodeArray(data []byte) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil || rows == nil {
		return nil, errors.New("must be a JSON array")
	}
	return rows, nil
}

// quote quotes text out of a file, and clip cuts it, to what fits in a message.
func quote(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const longest = 80
	if len(s) <= longest {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:longest]), nil)) + "..."
}
