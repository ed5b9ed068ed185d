package cli_test

import (
	"strings"
	"testing"
)

// TestBadInput runs what people mistype; every message says what to do next.
func TestBadInput(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	broken := tm.file("broken.yaml", "journey: broken\nentry:\n  segment: orders.cuont > 2\nsteps:\n  - id: a\n    touch:\n      channels: [emial]\n")
	noYAML := tm.file("no.yaml", "journey: [")
	policy := tm.file("policy.yaml", "version: x\ncaps:\n  - name: a\n    limit: -3\n    per: 1d\n")
	for name, c := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"no such command":      {[]string{"jurney"}, 2, []string{`no command "jurney"`, "did you mean", "journey"}},
		"no such verb":         {[]string{"review", "aprove"}, 2, []string{"did you mean", "review approve"}},
		"nothing near":         {[]string{"audit", "xyzzy"}, 2, []string{"use one of", "export", "verify"}},
		"no such flag":         {[]string{"status", "--fast"}, 2, []string{"unknown flag", "status --help"}},
		"argument missing":     {[]string{"why"}, 2, []string{"takes CUSTOMER"}},
		"argument too much":    {[]string{"status", "now"}, 2, []string{"takes no argument"}},
		"unknown customer":     {[]string{"why", "nobody"}, 1, []string{`no customer "nobody"`, "e-mail address"}},
		"unknown file":         {[]string{"import", "customers", "none.csv"}, 2, []string{"no file none.csv"}},
		"unknown mapping":      {[]string{"import", "customers", broken, "--mapping", "none.yaml"}, 2, []string{"no file none.yaml"}},
		"unknown journey file": {[]string{"journey", "plan", "wnback"}, 2, []string{"no shipped journey", "winback"}},
		"unknown journey":      {[]string{"journey", "show", "nope"}, 1, []string{"no journey nope", "journey list"}},
		"unknown campaign":     {[]string{"campaign", "status", "nope"}, 1, []string{"no campaign nope", "campaign list"}},
		"unknown review":       {[]string{"review", "show", "12345678"}, 1, []string{`ends with "12345678"`, "review list"}},
		"unknown creative":     {[]string{"creative", "show", "12345678"}, 1, []string{"creative list"}},
		"unknown touch":        {[]string{"ledger", "show", "a/b/c"}, 1, []string{`no touch has the key or id "a/b/c"`}},
		"bad segment":          {[]string{"segment", "count", "orders.cuont > 2"}, 2, []string{"line 1, column"}},
		"bad channel":          {[]string{"consent", "record", "x", "--channel", "fax"}, 2, []string{"unknown channel", "fax"}},
		"bad basis":            {[]string{"consent", "record", "x", "--basis", "hope"}, 2, []string{"unknown basis", "hope", "purchase"}},
		"bad state":            {[]string{"consent", "record", "x", "--state", "maybe"}, 2, []string{"--state", "pending"}},
		"unknown law":          {[]string{"guardrails", "explain", "us-tcpa-writen"}, 2, []string{"us-tcpa-writen", "did you mean us-tcpa-written"}},
		"country without law":  {[]string{"guardrails", "list", "--country", "BR"}, 2, []string{"no law of", "all of them"}},
		"bad since":            {[]string{"audit", "export", "--since", "yesterday"}, 2, []string{"--since", "2026-03-01"}},
		"bad share":            {[]string{"campaign", "start", "x", "--journey", "y", "--ramp", "120%"}, 2, []string{"--ramp", "20%"}},
		"campaign no journey":  {[]string{"campaign", "start", "x"}, 2, []string{"--journey"}},
		"bad policy":           {[]string{"policy", "check", policy}, 2, []string{"policy.yaml:", "limit"}},
		"bad plan":             {[]string{"journey", "plan", broken}, 2, []string{"broken.yaml:3:"}},
		"not YAML":             {[]string{"journey", "plan", noYAML}, 2, []string{"no.yaml:1:", "not YAML"}},
		"no Temporal":          {[]string{"journey", "apply", "winback"}, 1, []string{"temporal at", "does not answer"}},
		"scenario missing":     {[]string{"journey", "simulate", "winback", "--scenario", "none.yaml"}, 2, []string{"no file none.yaml"}},
		"worker without keys":  {[]string{"worker"}, 2, []string{"configuration cannot work"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"USER": "jane", "DATABASE_URL": tm.env["DATABASE_URL"], "TEMPORAL_ADDRESS": "127.0.0.1:1"}
			r := terminal{t, env, tm.dir}.run(c.args...).exits(c.code)
			r.complains(c.words...)
			if r.stdout != "" {
				t.Errorf("an error belongs on standard error, standard output has %q", r.stdout)
			}
		})
	}
}

func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	bare(t).run("status").exits(2).complains("no database", "DATABASE_URL", "touchstone dev")
	tm := bare(t)
	tm.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/none"
	tm.run("status").exits(1)
}

// TestHelp reads the help of every command: each has a long text and an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	top := tm.run("--help").ok()
	top.line("Marketing:").line("why", "Explain everything")
	for _, noun := range []string{"import", "segment", "journey", "campaign", "review", "creative", "policy", "guardrails", "consent", "customer", "ledger", "audit", "lift", "attribution", "roi", "alert", "sla", "experiment"} {
		help := tm.run(noun).ok().narrow()
		_, after, found := strings.Cut(help.stdout, "Available Commands:")
		if !found {
			t.Fatalf("%s lists no commands:\n%s", noun, help.stdout)
		}
		after, _, _ = strings.Cut(after, "Flags:")
		for line := range strings.Lines(strings.TrimSpace(after)) {
			verb := strings.Fields(line)[0]
			tm.run(noun, verb, "--help").ok().narrow().line("Examples:").line("touchstone " + noun)
		}
	}
}
