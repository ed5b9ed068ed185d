package cli_test

import (
	"strings"
	"testing"

	"touchstone/internal/journey"
	"touchstone/internal/lifecycle"
)

// TestOperate runs a marketer's and a reviewer's day on the real engines.
func TestOperate(t *testing.T) {
	t.Parallel()
	tm := onLive(t)
	tm.run("migrate").ok().line("database", "up to date").line("search attributes", "up to date")
	tm.bringIn("op", 25, 120)
	always := strings.Replace(string(journey.Shipped()["winback"]), "days: [mon, tue, wed, thu, fri, sat]", "days: [mon, tue, wed, thu, fri, sat, sun]", 1)
	file := tm.file("winback.yaml", always)
	tm.run("journey", "apply", file, "--by", "").exits(2).complains("--by")
	tm.run("journey", "apply", file).ok().line("applied journey winback v1")
	tm.run("journey", "apply", file).ok().line("winback is as applied in v1")

	type item struct {
		ID, Slot, Content string
		Offer             string
		Waiting           int
	}
	awaiting := func() []item { return into[[]item](tm.run("review", "list", "--json")) }
	eventually(t, "copy waits for a person", func() bool { return len(awaiting()) >= 4 })
	list := tm.run("review", "list").ok().narrow()
	list.line("ID", "WHAT", "SLOT", "AGE", "WAITING", "DUE").line("email copy", "winback/nudge", "gpt-4o", "in ")
	review(t, tm, awaiting()[0].ID)
	for _, left := range awaiting() {
		tm.run("review", "approve", left.ID[len(left.ID)-8:], "--by", "bob").ok().line("approved", "by bob")
	}
	tm.run("review", "list").ok().line("nothing waits")
	tm.run("review", "list", "--all").ok().narrow().line("email copy", "approved")
	tm.run("creative", "list", "--slot", "winback/nudge").ok().narrow().line("winback/nudge", "approved")

	eventually(t, "customers entered", func() bool {
		lines := into[[]map[string]any](tm.run("journey", "list", "--json"))
		return len(lines) > 0 && lines[0]["entered"] == 25.0
	})
	tm.run("campaign", "list").ok().narrow().line("winback", "winback v1", "running", "standing")
	tm.run("campaign", "status", "winback").ok().narrow().line("campaign winback: running, standing").line("pages")
	eventually(t, "touches are planned or sent", func() bool {
		return strings.Contains(tm.run("why", "op-1").ok().stdout, "winback v1")
	})
	tm.run("status").ok().narrow().line("winback", "25")
	control(t, tm)
	campaign(t, tm)
	migrate(t, tm, always)

	tm.run("customer", "erase", "op-25").exits(2).complains("--yes")
	tm.run("customer", "erase", "op-25", "--yes", "--reason", "asked by letter").ok().line("erased customer")
	tm.run("customer", "requests").ok().narrow().line("erase", "jane", "asked by letter")
	tm.run("why", "op-25").ok().line("erased")
	tm.run("ledger", "verify").ok().line("the ledger is sound")
	tm.run("audit", "verify").ok().line("the decision log is whole")
	tm.run("audit", "export").ok().line(`"kind":"customer.erased"`, `"actor":"jane"`)
}

// review reads, edits and decides one review.
func review(t *testing.T, tm terminal, id string) {
	t.Helper()
	short := id[len(id)-8:]
	r := tm.run("review", "show", short).ok()
	r.line("review " + id + ": awaiting").line("hash").line("| Subject:").line("touchstone review approve " + short)
	before := into[struct {
		Content  string
		Rendered lifecycle.Parts
	}](tm.run("review", "show", short, "--json"))
	if before.Rendered.Text == "" || strings.Contains(before.Rendered.Text, "{{") {
		t.Errorf("not rendered: %+v", before.Rendered)
	}
	tm.run("review", "edit", short).exits(2).complains("--subject", "EDITOR")
	tm.run("review", "edit", short, "--subject", "What is new since you were here", "--by", "carol").ok().line("edited "+short, "by carol", "somebody else")
	after := into[struct {
		Content, Author string
		Rendered        lifecycle.Parts
	}](tm.run("review", "show", short, "--json"))
	if after.Content == before.Content || after.Author != "carol" || after.Rendered.Subject != "What is new since you were here" {
		t.Errorf("after the edit: %+v", after)
	}
	tm.run("review", "approve", short, "--by", "carol").exits(1).complains("touchstone: review "+id, "carol")
	tm.run("review", "reject", short, "--by", "bob", "--note", "too plain").ok().line("rejected "+short, "by bob")
	tm.run("review", "approve", short, "--by", "bob").exits(1).complains("is rejected already, by bob")
	tm.run("review", "show", short).ok().line("decided", "by bob: too plain")
}

// control pauses and resumes parts and everything.
func control(t *testing.T, tm terminal) {
	t.Helper()
	tm.run("pause").exits(2).complains("--reason")
	tm.run("pause", "--channel", "fax", "--reason", "x").exits(2).complains("unknown channel")
	tm.run("journey", "pause", "nope", "--reason", "x").exits(1).complains("no journey nope")
	tm.run("journey", "pause", "winback", "--reason", "prices change").ok().line("journey winback is paused")
	tm.run("halt", "--reason", "wrong prices").ok().line("everything is halted")
	tm.run("status").ok().line("global is halted", "by jane: wrong prices").line("journey winback is paused", "prices change")
	if s := into[struct{ Stopped []map[string]any }](tm.run("status", "--json")); len(s.Stopped) != 2 {
		t.Errorf("stopped: %v", s.Stopped)
	}
	tm.run("journey", "resume", "winback").ok().line("journey winback is resumed")
	if got := into[map[string]any](tm.run("resume", "--json")); got["state"] != "running" || got["scope"] != "global" {
		t.Errorf("%v", got)
	}
	tm.run("status").ok().line("nothing is paused or halted")
}

// campaign starts, enlarges and stops a campaign.
func campaign(t *testing.T, tm terminal) {
	t.Helper()
	tm.run("campaign", "start", "spring", "--journey", "nope").exits(1).complains("no journey nope")
	tm.run("campaign", "start", "spring", "--journey", "winback", "--segment", "orders.cuont > 1").exits(2).complains("line 1, column 1")
	tm.run("campaign", "start", "spring", "--journey", "winback", "--segment", `customer.country == "US"`, "--ramp", "10%", "--holdout", "0").ok().line("campaign spring started", "10% of the cohort")
	tm.run("campaign", "start", "spring", "--journey", "winback").exits(1).complains("spring exists already")
	tm.run("campaign", "status", "spring").ok().narrow().line("ramp", "10%")
	tm.run("campaign", "ramp", "spring", "lots").exits(2).complains("SHARE")
	for _, line := range into[[]map[string]any](tm.run("campaign", "list", "--json")) {
		if line["name"] == "spring" && line["ramp"] != 0.1 {
			t.Errorf("%v", line)
		}
	}
	tm.run("campaign", "pause", "spring", "--reason", "look first").ok().line("campaign spring is paused")
	tm.run("campaign", "resume", "spring").ok().line("campaign spring is resumed")
}

// migrate moves customers to a version that has another wait.
func migrate(t *testing.T, tm terminal, source string) {
	t.Helper()
	changed := tm.file("winback2.yaml", strings.Replace(source, "for: 5d", "for: 6d", 1))
	tm.run("journey", "diff", changed).ok().line("changed", "pause", "was wait 5d, is wait 6d")
	tm.run("journey", "apply", changed).ok().line("applied journey winback v2")
	tm.run("journey", "migrate", "winback", "--to", "9").exits(1).complains("has no version 9")
	moved := into[struct{ To, Moved int }](tm.run("journey", "migrate", "winback", "--json"))
	if moved.To != 2 || moved.Moved == 0 {
		t.Errorf("%+v", moved)
	}
	tm.run("journey", "show", "winback").ok().narrow().line("v2", "jane").line("v1", "jane", "0")
}
