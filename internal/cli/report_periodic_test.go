package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"touchstone/workflows"
)

func TestReportPeriodic(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.bringIn("rp", 12, 5)
	tm.run("report", "list").ok().line("no report is kept yet")
	html, markdown := filepath.Join(tm.dir, "week.html"), filepath.Join(tm.dir, "week.md")
	tm.run("report", "weekly", "--html", html, "--markdown", markdown).ok().line("# Weekly review, week").line("## KPIs against targets").line("No marketing touch was sent.")
	for file, part := range map[string]string{html: "<h1>Weekly review", markdown: "# Weekly review"} {
		if content, err := os.ReadFile(file); err != nil || !strings.Contains(string(content), part) {
			t.Errorf("%s: %v", file, err)
		}
	}
	type periodic struct {
		Kind    string
		MadeAt  time.Time `json:"made_at"`
		Figures struct{ From, To time.Time }
	}
	first := into[periodic](tm.run("report", "weekly", "--json"))
	if first.Kind != "weekly" || first.Figures.From.Weekday() != time.Monday || first.Figures.To.Sub(first.Figures.From) != 7*24*time.Hour {
		t.Errorf("%+v", first)
	}
	day := first.Figures.From.AddDate(0, 0, 3).Format(time.DateOnly)
	if again := into[periodic](tm.run("report", "weekly", "--of", day, "--json")); again != first {
		t.Errorf("what was kept is %+v, not %+v", again, first)
	}
	if anew := into[periodic](tm.run("report", "weekly", "--again", "--json")); !anew.MadeAt.After(first.MadeAt) {
		t.Errorf("made again at %s", anew.MadeAt)
	}
	tm.run("report", "monthly").ok().line("# Monthly analysis,").line("## Cost and return")
	tm.run("report", "list").ok().line("REPORT", "FROM").line("weekly", first.Figures.From.Format(time.DateOnly)).line("monthly")
	tm.run("report", "weekly", "--of", time.Now().Format(time.DateOnly)).exits(2).complains("is not over before")
	tm.run("report", "weekly", "--of", "tomorrow").exits(2).complains(`day "tomorrow"`)
	tm.run("report", "yearly").exits(2)
}

// The worker keeps a schedule per kind of report; triggering one writes the report.
func TestReportSchedule(t *testing.T) {
	t.Parallel()
	tm := onLive(t)
	box, err := live()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"weekly", "monthly"} {
		handle := box.Temporal.ScheduleClient().GetHandle(t.Context(), workflows.ReportID(kind))
		eventually(t, kind+" is scheduled", func() bool { _, err := handle.Describe(t.Context()); return err == nil })
		described, err := handle.Describe(t.Context())
		if err != nil || len(described.Info.NextActionTimes) == 0 || described.Info.NextActionTimes[0].UTC().Hour() != 6 {
			t.Fatalf("%s: %+v %v", kind, described, err)
		}
		if err := handle.Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both reports are kept", func() bool {
		kept := tm.run("report", "list").ok().stdout
		return strings.Contains(kept, "weekly") && strings.Contains(kept, "monthly")
	})
}
