package sandbox

//lint:file-ignore ST1005 these are the vendor's sentences, capitals and full stops included

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Limits of strict schemas, from the vendor's structured outputs guide.
const (
	maxProperties  = 5000
	maxNesting     = 10
	maxEnumValues  = 1000
	maxSchemaNames = 120_000 // characters of names, definitions, enum and const values
)

// strictKeywords may appear in a strict schema; everything else is refused.
// Length limits (minLength, maxLength) are not among them, nor default.
var strictKeywords = map[string]bool{
	"$schema": true, "$id": true, "$defs": true, "definitions": true, "$ref": true, "title": true, "description": true, "type": true,
	"properties": true, "required": true, "additionalProperties": true, "items": true, "enum": true, "const": true, "anyOf": true,
	"pattern": true, "format": true, "multipleOf": true, "minimum": true, "maximum": true, "exclusiveMinimum": true,
	"exclusiveMaximum": true, "minItems": true, "maxItems": true,
}

var strictFormats = map[string]bool{"date-time": true, "time": true, "date": true, "duration": true, "email": true, "hostname": true, "ipv4": true, "ipv6": true, "uuid": true}

// strictCheck walks a schema and counts what is limited.
type strictCheck struct {
	root              map[string]any
	properties, enums int
	names             int
}

// checkStrict returns what the vendor would refuse in a strict schema.
func checkStrict(raw []byte) error {
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		return fmt.Errorf("schema must be a JSON object")
	}
	object, ok := root.(map[string]any)
	if !ok || object["type"] != "object" {
		return fmt.Errorf("schema must be a JSON Schema of 'type: \"object\"', got 'type: %q'.", fmt.Sprint(object["type"])) //nolint:staticcheck // the vendor's wording ends in a full stop
	}
	if _, union := object["anyOf"]; union {
		return errors.New("In context=(), 'anyOf' is not permitted at the root.") //nolint:staticcheck // as above
	}
	c := &strictCheck{root: object}
	if err := c.walk(object, nil, 1); err != nil {
		return err
	}
	switch {
	case c.properties > maxProperties:
		return fmt.Errorf("%d properties exceed the limit of %d", c.properties, maxProperties)
	case c.enums > maxEnumValues:
		return fmt.Errorf("%d enum values exceed the limit of %d", c.enums, maxEnumValues)
	case c.names > maxSchemaNames:
		return fmt.Errorf("%d characters of names and values exceed the limit of %d", c.names, maxSchemaNames)
	}
	return nil
}

// inContext words a path as the vendor does: ('properties', 'body', 'items').
func inContext(path []string) string {
	quoted := make([]string, len(path))
	for i, p := range path {
		quoted[i] = "'" + p + "'"
	}
	if len(quoted) == 1 {
		quoted[0] += ","
	}
	return "In context=(" + strings.Join(quoted, ", ") + ")"
}

func (c *strictCheck) walk(node any, path []string, depth int) error {
	schema, ok := node.(map[string]any)
	if !ok {
		return fmt.Errorf("%s, schema must be an object", inContext(path))
	}
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if !strictKeywords[key] {
			return fmt.Errorf("%s, '%s' is not permitted.", inContext(path), key) //nolint:staticcheck // the vendor's wording
		}
	}
	if ref, ok := schema["$ref"].(string); ok {
		if _, err := resolve(c.root, ref); err != nil {
			return fmt.Errorf("%s, %w", inContext(path), err)
		}
		for key := range schema {
			if key != "$ref" && key != "description" && key != "title" && len(path) > 0 {
				return fmt.Errorf("%s, $ref cannot have keywords {'%s'}.", inContext(path), key) //nolint:staticcheck // the vendor's wording
			}
		}
		return nil
	}
	types, err := typesOf(schema)
	if err != nil {
		return fmt.Errorf("%s, %w", inContext(path), err)
	}
	if len(types) == 0 && schema["anyOf"] == nil && schema["enum"] == nil && schema["const"] == nil {
		return fmt.Errorf("%s, schema must have a 'type' key.", inContext(path)) //nolint:staticcheck // the vendor's wording
	}
	if err := c.values(schema, path); err != nil {
		return err
	}
	if slices.Contains(types, "object") {
		if err := c.object(schema, path, depth); err != nil {
			return err
		}
	}
	if slices.Contains(types, "array") {
		if schema["items"] == nil {
			return fmt.Errorf("%s, array schema missing items.", inContext(path)) //nolint:staticcheck // the vendor's wording
		}
		if err := c.walk(schema["items"], append(slices.Clone(path), "items"), depth); err != nil {
			return err
		}
	}
	return c.parts(schema, path, depth)
}

// values checks enum, const, pattern and format.
func (c *strictCheck) values(schema map[string]any, path []string) error {
	if values, given := schema["enum"]; given {
		list, ok := values.([]any)
		if !ok || len(list) == 0 {
			return fmt.Errorf("%s, 'enum' must be a non-empty array", inContext(path))
		}
		c.enums += len(list)
		for _, v := range list {
			c.names += len(fmt.Sprint(v))
		}
	}
	if v, given := schema["const"]; given {
		c.names += len(fmt.Sprint(v))
	}
	if p, given := schema["pattern"]; given {
		text, ok := p.(string)
		if _, err := regexp.Compile(text); !ok || err != nil {
			return fmt.Errorf("%s, 'pattern' is not a valid regular expression", inContext(path))
		}
	}
	if f, given := schema["format"]; given {
		if text, ok := f.(string); !ok || !strictFormats[text] {
			return fmt.Errorf("%s, '%v' is not a valid format", inContext(path), f)
		}
	}
	return nil
}

func (c *strictCheck) object(schema map[string]any, path []string, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("%d levels of nesting exceeds limit of %d.", depth, maxNesting) //nolint:staticcheck // the vendor's wording
	}
	if extra, given := schema["additionalProperties"]; !given || extra != false {
		return fmt.Errorf("%s, 'additionalProperties' is required to be supplied and to be false.", inContext(path)) //nolint:staticcheck // the vendor's wording
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	c.properties += len(properties)
	names := slices.Sorted(maps.Keys(properties))
	for _, name := range names {
		c.names += len(name)
		if !slices.Contains(required, any(name)) {
			return fmt.Errorf("%s, 'required' is required to be supplied and to be an array including every key in properties. Missing '%s'.", inContext(path), name) //nolint:staticcheck // the vendor's wording
		}
	}
	for _, name := range required {
		text, _ := name.(string)
		if _, known := properties[text]; !known {
			return fmt.Errorf("%s, 'required' is required to be supplied and to be an array including every key in properties. Extra required key '%v' supplied.", inContext(path), name) //nolint:staticcheck // the vendor's wording
		}
	}
	for _, name := range names {
		if err := c.walk(properties[name], append(slices.Clone(path), "properties", name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// parts walks unions and definitions.
func (c *strictCheck) parts(schema map[string]any, path []string, depth int) error {
	if union, given := schema["anyOf"]; given {
		list, ok := union.([]any)
		if !ok || len(list) == 0 {
			return fmt.Errorf("%s, 'anyOf' must be a non-empty array", inContext(path))
		}
		for i, part := range list {
			if err := c.walk(part, append(slices.Clone(path), "anyOf", fmt.Sprint(i)), depth); err != nil {
				return err
			}
		}
	}
	for _, key := range []string{"$defs", "definitions"} {
		defs, _ := schema[key].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(defs)) {
			c.names += len(name)
			if err := c.walk(defs[name], append(slices.Clone(path), key, name), 1); err != nil {
				return err
			}
		}
	}
	return nil
}

var jsonTypes = []string{"string", "number", "boolean", "integer", "object", "array", "null"}

func typesOf(schema map[string]any) ([]string, error) {
	var out []string
	switch t := schema["type"].(type) {
	case nil:
	case string:
		out = []string{t}
	case []any:
		for _, v := range t {
			text, _ := v.(string)
			out = append(out, text)
		}
	default:
		return nil, errors.New("'type' must be a string or an array of strings")
	}
	for _, t := range out {
		if !slices.Contains(jsonTypes, t) {
			return nil, fmt.Errorf("'%s' is not a valid type", t)
		}
	}
	return out, nil
}

// resolve follows a reference inside the document: "#" or "#/$defs/name".
func resolve(root map[string]any, ref string) (map[string]any, error) {
	if ref == "#" {
		return root, nil
	}
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, fmt.Errorf("reference can only point to definitions in this schema, got '%s'", ref)
	}
	var node any = root
	for part := range strings.SplitSeq(path, "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		object, _ := node.(map[string]any)
		if node, ok = object[part]; !ok {
			return nil, fmt.Errorf("reference '%s' does not resolve", ref)
		}
	}
	object, ok := node.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("reference '%s' is not a schema", ref)
	}
	return object, nil
}

// jsonSchema is a schema to write an instance of.
type jsonSchema struct{ root map[string]any }

func parseSchema(raw []byte) (*jsonSchema, error) {
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		return nil, errors.New("schema must be a JSON object")
	}
	return &jsonSchema{root: root}, nil
}
