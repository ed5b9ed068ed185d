// Package deploy_test keeps the deployment files true to the program: no engine
// runs them here, so what can be checked by reading is checked.
package deploy_test

import (
	"bufio"
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"touchstone/internal/cli"
)

type service struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	DependsOn   any               `yaml:"depends_on"`
}

func compose(t *testing.T) map[string]service {
	t.Helper()
	source, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]service `yaml:"services"`
	}
	if err := yaml.Unmarshal(source, &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

func TestComposeRunsCommandsThatExist(t *testing.T) {
	t.Parallel()
	ran := 0
	for name, s := range compose(t) {
		for _, command := range s.Command {
			ran++
			var out, errs bytes.Buffer
			code := cli.Run(t.Context(), []string{command, "--help"}, cli.Streams{
				In: strings.NewReader(""), Out: &out, Err: &errs, LookupEnv: func(string) (string, bool) { return "", false },
			})
			if code != 0 || !strings.Contains(out.String(), "touchstone "+command) {
				t.Errorf("service %s runs `touchstone %s`, which answers %d: %s%s", name, command, code, out.String(), errs.String())
			}
		}
	}
	if ran < 3 {
		t.Errorf("compose.yaml runs %d touchstone commands, want migrate, worker and serve", ran)
	}
}

func TestSettingsAreReadByTheProgram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../internal/config/config.go")
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`"([A-Z][A-Z_]+)"`).FindAllStringSubmatch(string(source), -1)
	reads := func(name string) bool {
		return slices.ContainsFunc(known, func(m []string) bool { return m[1] == name })
	}
	settings := []string{}
	for _, name := range []string{"migrate", "worker", "gateway"} {
		for key := range compose(t)[name].Environment {
			settings = append(settings, key)
		}
	}
	file, err := os.Open("example.env")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, _, found := strings.Cut(lines.Text(), "="); found && !strings.HasPrefix(key, "#") && key != "POSTGRES_PASSWORD" {
			settings = append(settings, key)
		}
	}
	if len(settings) < 10 {
		t.Fatalf("found only %d settings", len(settings))
	}
	for _, s := range settings {
		if !reads(s) {
			t.Errorf("%s is set in deploy, but the program does not read it", s)
		}
	}
}

func TestReviewersCannotEndWorkflows(t *testing.T) {
	t.Parallel()
	ui := compose(t)["temporal-ui"].Environment
	for _, action := range []string{"WORKFLOW_CANCEL", "WORKFLOW_TERMINATE", "WORKFLOW_RESET", "BATCH_ACTIONS", "START_WORKFLOW"} {
		if ui["TEMPORAL_"+action+"_DISABLED"] != "true" {
			t.Errorf("the Temporal UI in compose.yaml leaves %s switched on", action)
		}
	}
}
