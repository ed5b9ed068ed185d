package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"touchstone/internal/gateway"
	"touchstone/internal/postgres"
	"touchstone/internal/watch"
	"touchstone/worker"
)

var (
	description = regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	metricName  = regexp.MustCompile(`\b(touchstone|temporal)_[a-z_]+\b`)
	byLabels    = regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	selectors   = regexp.MustCompile(`\{([^}]*)\}`)
	selector    = regexp.MustCompile(`([a-z_]+)\s*=~?`)
	templated   = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

// exported lists every metric of ours with its labels, as the processes
// register them, and those of the Temporal SDK by its source.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&watch.Collector{})
	if _, err := worker.NewStopwatch(registry); err != nil {
		t.Fatal(err)
	}
	store := &postgres.Store{} // never asked
	if _, err := gateway.New(gateway.Config{Currency: "USD", Outcomes: store, Unsubscribing: store, Tracking: store, Listens: store.Listens, Metrics: registry}); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() { registry.Describe(descriptions); close(descriptions) }()
	names := map[string][]string{}
	for d := range descriptions {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot read %s", d)
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		names[m[1]] = labels
		if m[1] == "touchstone_latency_seconds" || m[1] == "touchstone_gateway_request_seconds" { // histograms
			names[m[1]+"_bucket"], names[m[1]+"_sum"], names[m[1]+"_count"] = append(labels, "le"), labels, labels
		}
	}
	if len(names) < 30 {
		t.Fatalf("only %d metrics are registered", len(names))
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/sdk").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "internal", "common", "metrics", "constants.go"))
	if err != nil {
		t.Fatal(err)
	}
	tags := []string{"activity_type", "failure_reason", "namespace", "operation", "poller_type", "task_queue", "worker_type", "workflow_type"}
	constants := strings.NewReplacer("TemporalMetricsPrefix + \"", "\"temporal_", "TemporalRequest + \"", "\"temporal_request").Replace(string(source))
	for _, m := range regexp.MustCompile(`"(temporal_[a-z_]+)"`).FindAllStringSubmatch(constants, -1) {
		name := m[1]
		names[name] = tags
		for _, suffix := range []string{"_seconds_bucket", "_seconds_sum", "_seconds_count"} {
			names[name+suffix] = append(tags, "le")
		}
	}
	return names
}

// checkExpression wants every metric of an expression to exist, and every label
// it groups or selects by to be one of theirs.
func checkExpression(t *testing.T, where, expression string, known map[string][]string, used ...string) {
	t.Helper()
	labels := []string{"instance", "job"}
	found := false
	for _, name := range metricName.FindAllString(expression, -1) {
		found = true
		its, ok := known[name]
		if !ok {
			t.Errorf("%s asks for %s, which nobody exports", where, name)
		}
		labels = append(labels, its...)
	}
	if !found {
		t.Errorf("%s asks for no metric: %q", where, expression)
	}
	for _, m := range byLabels.FindAllStringSubmatch(expression, -1) {
		used = append(used, strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	for _, m := range selectors.FindAllStringSubmatch(expression, -1) {
		for _, s := range selector.FindAllStringSubmatch(m[1], -1) {
			used = append(used, s[1])
		}
	}
	for _, label := range used {
		if !slices.Contains(labels, label) {
			t.Errorf("%s uses the label %q, which its metrics do not have: %s", where, label, expression)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expression, pair[:1]) != strings.Count(expression, pair[1:]) {
			t.Errorf("%s: unbalanced %s in %s", where, pair, expression)
		}
	}
}

func TestBoardsShowMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := exported(t)
	files, err := filepath.Glob("grafana/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			UID, Title string
			Panels     []struct {
				ID      int
				Title   string
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(source, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if board.UID == "" || board.Title == "" || len(board.Panels) < 10 {
			t.Errorf("%s: %q has %d panels", file, board.Title, len(board.Panels))
		}
		taken := map[[2]int]string{}
		ids := map[int]bool{}
		for _, p := range board.Panels {
			if ids[p.ID] || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q has an id twice or shows nothing", file, p.Title)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: panel %q lies on %q or beyond the edge", file, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			for _, target := range p.Targets {
				var used []string
				for _, m := range templated.FindAllStringSubmatch(target.LegendFormat, -1) {
					used = append(used, m[1])
				}
				checkExpression(t, file+" "+p.Title, target.Expr, known, used...)
				for _, name := range metricName.FindAllString(target.Expr, -1) {
					shown[name] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		gauge := strings.HasPrefix(name, "touchstone_") && !strings.HasPrefix(name, "touchstone_gateway_") && !strings.Contains(name, "latency_seconds")
		if gauge && !shown[name] {
			t.Errorf("no board shows %s", name)
		}
	}
}

func TestRulesAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := exported(t)
	source, err := os.ReadFile("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(source, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(runbook), -1) {
		anchors[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	rules := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			rules++
			var used []string
			for _, text := range r.Annotations {
				for _, m := range templated.FindAllStringSubmatch(text, -1) {
					used = append(used, m[1])
				}
			}
			checkExpression(t, "rule "+r.Alert, r.Expr, known, used...)
			if s := r.Labels["severity"]; s != string(watch.Warning) && s != string(watch.Critical) {
				t.Errorf("rule %s has the severity %q", r.Alert, s)
			}
			page, anchor, _ := strings.Cut(r.Annotations["runbook"], "#")
			if r.Annotations["summary"] == "" || page != "docs/operations.md" || !anchors[anchor] {
				t.Errorf("rule %s: summary %q, runbook %q", r.Alert, r.Annotations["summary"], r.Annotations["runbook"])
			}
		}
	}
	if rules < 8 {
		t.Errorf("only %d rules", rules)
	}
}

// Prometheus scrapes what compose.yaml starts, where it listens.
func TestPrometheusScrapesWhatRuns(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("prometheus/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	services := compose(t)
	targets := regexp.MustCompile(`"([a-z]+):(\d+)"`).FindAllStringSubmatch(string(source), -1)
	if len(targets) != 2 {
		t.Fatalf("%v", targets)
	}
	for _, m := range targets {
		s, runs := services[m[1]]
		listens := s.Environment["TOUCHSTONE_LISTEN"] + " " + s.Environment["TOUCHSTONE_METRICS_LISTEN"]
		if !runs || !strings.Contains(listens, ":"+m[2]) {
			t.Errorf("%s is scraped at port %s; it listens on %s", m[1], m[2], listens)
		}
	}
}
