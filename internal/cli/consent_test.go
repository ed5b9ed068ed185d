package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("w", 1, 100)
	tm.run("consent", "show", "w-1").ok().narrow().line("customer w-1, country US").line("email: granted, express").line("from", "checkout").line("left topics: -")
	tm.run("consent", "record", "w-1", "--channel", "sms", "--wording", "Send me texts from Larkspur to my number.", "--form", "v3", "--ip", "192.0.2.7", "--source", "till").ok().line("sms consent of w-1: granted")
	tm.run("consent", "record", "w-1", "--withdraw", "--source", "telephone").ok().line("email consent of w-1: withdrawn")
	tm.run("consent", "record", "w-1", "--at", "2999-01-01").exits(2).complains("lies in the future")
	tm.run("consent", "record", "w-1", "--at", "soon").exits(2).complains("--at")
	tm.run("consent", "show", "w-1").ok().narrow().line("email: withdrawn").line("sms: granted").line("wording", "Send me texts from Larkspur").line("ip", "192.0.2.7")
	tm.run("consent", "history", "w-1").ok().narrow().line("email: granted").line("from checkout").line("sms: granted").line("form v3", "ip 192.0.2.7").line("email: withdrawn").line("from telephone")
	if records := into[[]map[string]any](tm.run("consent", "history", "w-1", "--json")); len(records) != 3 || records[1]["form"] != "v3" {
		t.Errorf("%v", records)
	}
	tm.run("why", "w-1").ok().line("consents: email withdrawn, sms granted").line("email consent withdrawn", "telephone")
	out := tm.run("audit", "export").ok()
	out.line(`"kind":"consent.granted"`, `"actor":"jane"`)
	out.lacks("192.0.2.7")
	out.lacks("Send me texts")
}

func TestGuardrailsCatalogue(t *testing.T) {
	t.Parallel()
	tm := bare(t)
	r := tm.run("guardrails", "list").ok().narrow()
	r.line("consent-regime").line("topic").line("ca-casl-implied-purchase", "consent-regime", "S.C. 2010").line("us-tx-hours", "sms", "quiet-hours")
	tm.run("guardrails", "list", "--country", "ca").ok().line("ca-casl-express").lacks("gb-pecr-consent")
	tm.run("guardrails", "explain", "ca-casl-implied-inquiry").ok().narrow().line("An inquiry implies consent for six months").line("accepts", "inquiry, for 6 months").line("in force", "2014-07-01").line("for example").line("held by", "consent-regime")
	tm.run("guardrails", "explain", "frequency-cap").ok().narrow().line("source:").line("laws:", "us-fl-per-day")
	list := into[struct {
		Version string
		Rules   []map[string]any
		Laws    []map[string]any
	}](tm.run("guardrails", "list", "--json"))
	if list.Version == "" || len(list.Rules) < 18 || len(list.Laws) < 20 || list.Laws[0]["cite"] == "" {
		t.Errorf("%+v", list)
	}
}

func TestCustomerExport(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("w", 2, 100)
	out := tm.dir + "/w-1.json"
	tm.run("customer", "export", "w-1", "--out", out, "--reason", "asked by letter").ok().complains("exported customer w-1")
	text, err := os.ReadFile(out)
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), "w-1@example.com") || strings.Contains(string(text), "w-2") {
		t.Errorf("%v\n%s", err, text)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the export: %v, %v", info.Mode(), err)
	}
	tm.run("customer", "requests").ok().narrow().line("export", "jane", "asked by letter")
	tm.run("customer", "export", "nobody").exits(1).complains("no customer")
	tm.env["USER"] = ""
	tm.run("customer", "export", "w-1").exits(2).complains("--by")
	tm.run("audit", "verify").ok().line("whole")
}
