package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	module = "touchstone"
	root   = "../.." // of the module, from this folder
)

// levels is the house: a package imports lower levels only. A package below one
// of these shares its level. docs/architecture.md shows the same to people.
var levels = map[string]int{
	"cmd/touchstone": 7,

	"internal/cli": 6, "internal/demo": 6, "internal/onebox": 6, "internal/devstack": 6, "internal/bench": 6, "internal/realdata": 6,

	"worker": 5, "internal/gateway": 5, "internal/control": 5, "internal/report": 5, "internal/console": 5,

	"workflows": 4, "internal/story": 4,

	"activities": 3, "internal/postgres": 3, "internal/ingest": 3, "internal/channel/sendgrid": 3, "internal/copywriter": 3, "internal/alert": 3,

	"agents": 2, "guardrails": 2, "internal/journey": 2, "internal/segment": 2, "internal/channel": 2, "internal/ledger": 2,
	"internal/access": 2, "internal/experiment": 2, "internal/measure": 2, "internal/rollout": 2, "internal/sandbox": 2, "internal/watch": 2,

	"internal/clock": 1, "internal/config": 1, "internal/telemetry": 1, "internal/brand": 1, "internal/link": 1, "internal/yamldoc": 1, "internal/web": 1,

	"internal/lifecycle": 0, "deploy": 0, "internal/architecture": 0,
}

// stated are imports within a level, each with its reason.
var stated = map[string]string{
	"internal/cli internal/demo":                    "a command runs it",
	"internal/cli internal/onebox":                  "a command runs it",
	"internal/cli internal/bench":                   "a command runs it",
	"internal/demo internal/onebox":                 "the demo plays on one machine",
	"internal/bench internal/onebox":                "the bench plays on one machine",
	"internal/bench internal/devstack":              "the bench starts engines of its own",
	"internal/realdata internal/onebox":             "real data run on one machine",
	"internal/onebox internal/devstack":             "one machine needs engines",
	"internal/console internal/control":             "people act through the same plane as the command line",
	"internal/console internal/report":              "the overview shows a report's figures",
	"internal/control worker":                       "what people do starts workflows through the worker's starter",
	"worker internal/gateway":                       "the worker runs the event router",
	"worker internal/report":                        "scheduled reports are made in the worker",
	"internal/ingest internal/postgres":             "bulk rows are the store's",
	"activities internal/copywriter":                "briefs, merge fields and the occasion are the copywriter's words",
	"internal/journey internal/segment":             "conditions in journeys are segments",
	"agents internal/experiment":                    "tests switch agents off by a stable draw",
	"internal/measure/attribution internal/measure": "intervals, arms and minimums",
	"internal/measure internal/ledger":              "what is measured are ledger records",
	"internal/watch internal/ledger":                "violations are found in the ledger",
	"internal/watch internal/measure":               "a rate is judged with its interval",
	"internal/watch internal/measure/anomaly":       "an anomaly becomes an alert",
	"internal/rollout internal/segment":             "cohorts of stages are segments",
	"internal/rollout internal/measure":             "gates compare readings of KPIs",
	"internal/rollout internal/ledger":              "what a stage lets through is a ledger record",
	"internal/rollout internal/experiment":          "stages draw customers by a stable hash",
	"internal/brand internal/yamldoc":               "the brand file is YAML",
	"internal/yamldoc internal/clock":               "durations in YAML are the clock's",
	"internal/sandbox/people internal/sandbox":      "simulated people answer the sandbox's messages",
	"internal/sandbox internal/sandbox/draw":        "one stable draw for all simulations",
	"internal/sandbox/people internal/sandbox/draw": "one stable draw for all simulations",
	"internal/devstack/pgtest internal/devstack":    "tests start the stack's PostgreSQL",
	"internal/postgres internal/postgres/dbsqlc":    "generated queries",
	"internal/channel/channeltest internal/channel": "the conformance suite of the contract",

	"internal/experiment internal/segment":                     "who is in an experiment is a segment",
	"internal/experiment internal/measure":                     "intervals and means",
	"internal/experiment internal/experiment/bandit":           "a bandit's shares",
	"internal/experiment internal/experiment/estimate":         "effects from sums",
	"internal/experiment internal/experiment/multiple":         "many metrics, many challengers",
	"internal/experiment internal/experiment/plan":             "the plan that a test is judged by",
	"internal/experiment internal/experiment/sequential":       "decisions while data come in",
	"internal/experiment/bandit internal/experiment/estimate":  "beliefs from sums",
	"internal/experiment/bandit internal/measure":              "intervals and means",
	"internal/experiment/estimate internal/measure":            "intervals and means",
	"internal/experiment/plan internal/experiment/estimate":    "kinds of metrics",
	"internal/experiment/plan internal/experiment/multiple":    "the level of each challenger",
	"internal/experiment/plan internal/experiment/sequential":  "what looking more than once costs",
	"internal/experiment/proof internal/experiment":            "the engine is proven",
	"internal/experiment/proof internal/experiment/autonomy":   "the certificate is proven",
	"internal/experiment/proof internal/experiment/bandit":     "the policies are proven",
	"internal/experiment/proof internal/experiment/estimate":   "effects from sums",
	"internal/experiment/proof internal/experiment/multiple":   "critical values are compared",
	"internal/experiment/proof internal/experiment/plan":       "the plan is proven",
	"internal/experiment/proof internal/experiment/sequential": "the bounds are proven",
	"internal/experiment/proof internal/measure":               "intervals and means",
	"internal/experiment/sequential internal/measure":          "intervals and means",
}

// owners says who may import a driver or a provider's SDK directly: the adapter
// that wraps it, and the engines' and benches' own plumbing.
var owners = map[string][]string{
	"github.com/jackc/pgx":              {"internal/postgres", "internal/devstack", "internal/bench", "internal/realdata"},
	"github.com/sendgrid/":              {"internal/channel/sendgrid"},
	"github.com/sashabaranov/go-openai": {"internal/copywriter"},
	"github.com/osteele/liquid":         {"internal/copywriter"},
	"github.com/spf13/":                 {"internal/cli"},
	"cel.dev/":                          {"internal/segment", "internal/ingest"},
	"database/sql":                      {},
}

// beyondReach lists what workflows and activities must not reach by any path. The
// copywriter's model client is the one exception: see TestEngineReachesNoAdapter.
var beyondReach = []string{
	"github.com/jackc/pgx", "github.com/sendgrid/", "github.com/spf13/",
	module + "/internal/postgres", module + "/internal/channel/sendgrid", module + "/internal/gateway", module + "/internal/sandbox",
	module + "/internal/devstack", module + "/internal/config", module + "/worker",
}

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// graph is the module's import graph, tests left out.
func graph(t *testing.T) map[string]pkg {
	t.Helper()
	packages, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// listed asks the go command once for all tests.
var listed = sync.OnceValues(func() (map[string]pkg, error) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard", "./...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return nil, fmt.Errorf("go list: %w\n%s", err, failed.Stderr)
		}
		return nil, err
	}
	packages := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages[p.ImportPath] = p
	}
})

// own returns a package's path within the module, or false when it is foreign.
func own(path string) (string, bool) {
	return strings.CutPrefix(path, module+"/")
}

// level finds the level of a package: its own, or that of the nearest package
// above it.
func level(path string) (int, bool) {
	for path != "." && path != "/" {
		if l, known := levels[path]; known {
			return l, true
		}
		path = filepath.ToSlash(filepath.Dir(path))
	}
	return 0, false
}

func TestPackagesImportLowerLevelsOnly(t *testing.T) {
	t.Parallel()
	packages := graph(t)
	used := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(packages)) {
		from, mine := own(path)
		if !mine {
			continue
		}
		fromLevel, known := level(from)
		if !known {
			t.Errorf("%s has no level: give it one here and in docs/architecture.md", from)
		}
		for _, imported := range packages[path].Imports {
			to, mine := own(imported)
			if !mine {
				continue
			}
			edge := from + " " + to
			toLevel, _ := level(to)
			switch {
			case toLevel < fromLevel:
			case toLevel == fromLevel && stated[edge] != "":
				used[edge] = true
			default:
				t.Errorf("%s (level %d) imports %s (level %d)", from, fromLevel, to, toLevel)
			}
		}
	}
	for edge := range stated {
		if !used[edge] {
			t.Errorf("the stated import %q is not used: remove it from the list", edge)
		}
	}
}

func TestDriversStayWithTheirAdapters(t *testing.T) {
	t.Parallel()
	for path, p := range graph(t) {
		from, mine := own(path)
		if !mine {
			continue
		}
		for _, imported := range p.Imports {
			for driver, allowed := range owners {
				if strings.HasPrefix(imported, driver) && !slices.ContainsFunc(allowed, func(o string) bool { return from == o || strings.HasPrefix(from, o+"/") }) {
					t.Errorf("%s imports %s: only %v may", from, imported, allowed)
				}
			}
		}
	}
}

func TestEngineReachesNoAdapter(t *testing.T) {
	t.Parallel()
	packages := graph(t)
	for _, start := range []string{"workflows", "activities", "agents", "guardrails"} {
		for path, via := range reach(packages, module+"/"+start) {
			for _, banned := range beyondReach {
				if strings.HasPrefix(path, banned) {
					t.Errorf("%s reaches %s by way of %s", start, path, via)
				}
			}
			// The copywriter package holds both the words that activities need
			// and the client of the language model; nothing else may lead there.
			if strings.HasPrefix(path, "github.com/sashabaranov/") && via != module+"/internal/copywriter" && !strings.HasPrefix(via, "github.com/sashabaranov/") {
				t.Errorf("%s reaches %s by way of %s", start, path, via)
			}
		}
	}
}

// reach lists all packages that one reaches, each with a package that imports it.
func reach(packages map[string]pkg, start string) map[string]string {
	found := map[string]string{}
	for open := []string{start}; len(open) > 0; open = open[1:] {
		if packages[open[0]].Standard {
			continue
		}
		for _, imported := range packages[open[0]].Imports {
			if _, seen := found[imported]; !seen {
				found[imported] = open[0]
				open = append(open, imported)
			}
		}
	}
	return found
}

// Workflow code must be replayable: nothing that reads the machine.
func TestWorkflowsReadNothingOfTheMachine(t *testing.T) {
	t.Parallel()
	for _, imported := range graph(t)[module+"/workflows"].Imports {
		for _, banned := range []string{"os", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "runtime", "sync", "time/tzdata", "github.com/google/uuid"} {
			if imported == banned {
				t.Errorf("workflows imports %s", imported)
			}
		}
	}
}

func TestLifecycleImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	packages := graph(t)
	for _, imported := range packages[module+"/internal/lifecycle"].Imports {
		if !packages[imported].Standard {
			t.Errorf("internal/lifecycle imports %s", imported)
		}
	}
}

// TestTheDocumentSaysTheSame reads the table of levels in docs/architecture.md.
func TestTheDocumentSaysTheSame(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d) \| (.*) \|$`)
	name := regexp.MustCompile("`([a-z/]+)`")
	documented := map[string]int{}
	for _, r := range row.FindAllStringSubmatch(string(text), -1) {
		l, err := strconv.Atoi(r[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range name.FindAllStringSubmatch(r[2], -1) {
			documented[n[1]] = l
		}
	}
	if len(documented) == 0 {
		t.Fatal("docs/architecture.md has no table of levels")
	}
	for path, l := range documented {
		if levels[path] != l {
			t.Errorf("docs/architecture.md puts %s on level %d, the test on %d", path, l, levels[path])
		}
	}
	for path, l := range levels {
		if _, told := documented[path]; !told && l > 0 {
			t.Errorf("docs/architecture.md does not show %s (level %d)", path, l)
		}
	}
}
