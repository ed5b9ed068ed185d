package journey

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed shipped/*.yaml shipped/scenarios/*.yaml
var files embed.FS

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (2020-12) of definitions, for editors and CI.
func Schema() []byte { return append([]byte(nil), schema...) }

// Shipped returns the definitions that come with the program, by journey name.
func Shipped() map[string][]byte { return embedded("shipped") }

// ShippedScenarios returns one scenario per shipped journey, by journey name.
func ShippedScenarios() map[string][]byte { return embedded("shipped/scenarios") }

func embedded(folder string) map[string][]byte {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic(fmt.Sprintf("journey: the program was built without %s: %v", folder, err))
	}
	found := map[string][]byte{}
	for _, entry := range entries {
		name, isYAML := strings.CutSuffix(entry.Name(), ".yaml")
		if !isYAML {
			continue
		}
		content, err := files.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			panic(fmt.Sprintf("journey: the program was built without %s: %v", entry.Name(), err))
		}
		found[name] = content
	}
	return found
}
