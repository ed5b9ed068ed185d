package cli_test

import "testing"

func TestSegment(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("old", 4, 120)
	tm.bringIn("fresh", 3, 5)
	tm.run("segment", "check", `stage == "lapsed"`).ok().line("ok")
	tm.run("segment", "count", `stage == "lapsed"`).ok().line("4 customers").lacks("select")
	tm.run("segment", "count", "orders.count >= 2", "--sql").ok().line("7 customers").line("where c.erased_at is null")
	if got := into[map[string]any](tm.run("segment", "count", `stage == "lapsed"`, "--json")); got["customers"] != 4.0 {
		t.Errorf("%v", got)
	}
	r := tm.run("segment", "check", "orders.count > 2 &&\norders.cuont < 3").exits(2).complains("line 2, column 1")
	r.complains("orders.cuont < 3").complains("^")
	tm.run("segment", "count", "event.total > 3").exits(2)
	tm.run("segment", "fields").ok().narrow().line("FIELD", "TYPE", "MEANING").line("orders.count", "number")
	if fields := into[[]map[string]any](tm.run("segment", "fields", "--json")); len(fields) < 20 {
		t.Errorf("%d fields", len(fields))
	}
}
