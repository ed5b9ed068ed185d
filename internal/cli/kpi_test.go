package cli_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"touchstone/internal/measure"
)

type shownReading struct {
	measure.Reading
	Title, Group, Unit, Light string
	Baseline, Target, Stretch *float64
	Sure                      bool
}

func TestKPIShow(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.sent()
	period := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	r := tm.run(append([]string{"kpi", "show"}, period...)...).ok().narrow()
	r.line("2026-03-01 00:00 to 2026-04-01 00:00").line("NORTH STAR").line("rpmt", "not enough data", "0.45", "0.61", "1.05", "grey")
	r.line("rpmt: 1 of 1000 marketing touches needed").line("uptime: 0 of 60 minutes needed").line("compliance_violations", "0", "5", "0", "green")
	all := into[[]shownReading](tm.run(append([]string{"kpi", "show", "--json"}, period...)...))
	if len(all) != len(measure.Catalogue()) {
		t.Errorf("%d readings of %d KPIs", len(all), len(measure.Catalogue()))
	}
	some := into[[]shownReading](tm.run(append([]string{"kpi", "show", "rpmt", "email_delivery_rate", "--json"}, period...)...))
	if len(some) != 2 || some[0].KPI != "rpmt" || some[1].Numerator != 1 || some[1].Denominator != 1 || some[0].Light != "grey" || *some[0].Target != 0.61 {
		t.Errorf("%+v", some)
	}
	// One e-mail of one journey: elsewhere there is none.
	other := into[[]shownReading](tm.run(append([]string{"kpi", "show", "email_delivery_rate", "--journey", "welcome", "--json"}, period...)...))
	if other[0].Denominator != 0 {
		t.Errorf("%+v", other)
	}
	tm.run("kpi", "show", "rpmmt").exits(1).complains(`no KPI "rpmmt"`, "did you mean rpmt?")
	tm.run("kpi", "show", "--channel", "fax").exits(2).complains("--channel", "email")
	tm.run("kpi", "show", "--from", "2026-03-02", "--to", "2026-03-02").exits(2).complains("no whole hour")
	tm.run("kpi", "show", "--from", "March").exits(2).complains("write it as")
}

func TestKPIListAndExplain(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	_, touch := tm.sent()
	tm.run("kpi", "list").ok().narrow().line("CONVERSION AND REVENUE").line("conversion_rate", "higher", "2.5%", "3.1%").line("campaign_launch_time", "lower", "5d0h", "1d12h")
	type listed struct {
		ID, Definition, Formula, Source, Unit, Better string
		Baseline                                      *float64
		Minimum                                       float64
	}
	for _, k := range into[[]listed](tm.run("kpi", "list", "--json")) {
		if k.ID == "" || k.Definition == "" || k.Formula == "" || k.Source == "" || k.Unit == "" || k.Better == "" {
			t.Errorf("%+v lacks something", k)
		}
	}
	period := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	tm.run(append([]string{"kpi", "explain", "email_delivery_rate"}, period...)...).ok().
		line("E-mail delivery rate").line("formula", "e-mails delivered / e-mails sent").line("denominator", "1").
		line("touches", string(touch.ID), "2026-03-10", "yes", "winback email delivered")
	// Every KPI can be explained, and no row shows more than ids.
	for _, k := range measure.Catalogue() {
		r := tm.run(append([]string{"kpi", "explain", k.ID, "--json"}, period...)...)
		shown := into[struct {
			ID   string
			Rows []measure.Row
		}](r)
		if shown.ID != k.ID || shown.Rows == nil {
			t.Errorf("%s: %+v", k.ID, shown)
		}
		r.lacks("example.com").lacks("w-1")
	}
	tm.run("kpi", "explain", "nothing").exits(1).complains("kpi list")
	tm.run("kpi", "explain").exits(2).complains("takes METRIC")
}

func TestKPIBaseline(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.sent()
	period := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	tm.run("kpi", "baseline", "show").ok().line("the plan's hold")
	tm.run("kpi", "baseline", "clear").exits(1).complains("no baselines are locked")
	tm.run("kpi", "baseline", "lock", "--from", "2020-01-01", "--to", "2020-01-02").exits(2).complains("enough data")
	tm.run(append([]string{"kpi", "baseline", "lock", "--by", "ada"}, period...)...).ok().
		line("2026-03-01 to 2026-04-01", "by ada").line("compliance_violations", "0", "5")
	tm.run(append([]string{"kpi", "baseline", "lock"}, period...)...).exits(1).complains("locked by ada", "clear")
	tm.run("kpi", "list").ok().line("compliance_violations", "lower", "0", "0")
	if b := into[measure.Baselines](tm.run("kpi", "baseline", "show", "--json")); b.By != "ada" || b.Levels["compliance_violations"].Status != measure.OK {
		t.Errorf("%+v", b)
	}
	tm.run("audit", "verify").ok().line("3 entries")
	tm.run("kpi", "baseline", "clear").ok().line("hold again")
	tm.run("kpi", "list").ok().line("compliance_violations", "lower", "5", "0")
	tm.run("audit", "verify").ok().line("4 entries")
}

func TestKPIExport(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.sent()
	period := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	file := tm.dir + "/hours.csv"
	tm.run(append([]string{"kpi", "export", "--csv", file}, period...)...).ok().complains("exported 1 row")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v\n%s", err, content)
	}
	hour := map[string]string{}
	for i, name := range rows[0] {
		hour[name] = rows[1][i]
	}
	for name, want := range map[string]string{"hour": "2026-03-10T14:00:00Z", "journey": "winback", "channel": "email", "class": "marketing",
		"touches": "2", "sent": "1", "delivered": "1", "blocked": "1", "revenue": "0"} {
		if hour[name] != want {
			t.Errorf("%s is %q, want %q", name, hour[name], want)
		}
	}
	r := tm.run(append([]string{"kpi", "export", "--csv", "-", "--readings"}, period...)...).ok()
	rows, err = csv.NewReader(strings.NewReader(r.stdout)).ReadAll()
	if err != nil || len(rows) != len(measure.Catalogue())+1 || rows[0][0] != "kpi" {
		t.Errorf("%v: %d rows", err, len(rows))
	}
	tm.run("kpi", "export").exits(2).complains("--csv")
}
