package cli_test

import (
	"os"
	"strings"
	"testing"
)

const customersCSV = `external_id,email,time_zone,shoe_size
c1,ada@example.com,America/New_York,39
c2,not an address,America/New_York,40
c3,eve@example.com,Atlantis/Capital,41
`

func TestImport(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	file := tm.file("customers.csv", customersCSV)
	r := tm.run("import", "customers", file).ok().narrow()
	r.line("CUSTOMERS", "ROWS").line("read", "3").line("new", "1").line("refused", "2").line("refused rows are in", file+".rejects.csv")
	if rejects, err := os.ReadFile(file + ".rejects.csv"); err != nil || !strings.Contains(string(rejects), "Atlantis") {
		t.Errorf("reject file: %v\n%s", err, rejects)
	}
	tm.run("import", "customers", file).ok().line("imported before")
	again := into[map[string]any](tm.run("import", "customers", file, "--restart", "--json"))
	if again["present"] != 1.0 || again["new"] != 0.0 || again["rejected"] != 2.0 {
		t.Errorf("repeated: %v", again)
	}
	tm.run("import", "customers", file, "--restart", "--strict").exits(1)
}

func TestImportStandardInputAndMapping(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	mapping := tm.file("mapping.yaml", "kind: customers\ncolumns:\n  external_id: Id\n  email: Mail\n")
	tm.feed("Id,Mail\n7,seven@example.com\n", "import", "customers", "-", "--mapping", mapping, "--rejects", tm.dir+"/r.csv").ok().line("new", "1")
	tm.run("why", "seven@example.com").ok().line("customer 7").line("has not entered any journey")
	bad := tm.file("bad.yaml", "kind: customers\ncolums: {}\n")
	tm.feed("", "import", "customers", "-", "--mapping", bad).exits(2).complains("bad.yaml")
}

func TestImportLive(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.feed("external_id\nc1\n", "import", "customers", "-", "--rejects", tm.dir+"/r.csv").ok()
	events := `{"external_id":"c1","name":"Checkout Started","at":"2020-01-01T00:00:00Z"}` + "\n"
	tm.feed(events, "import", "events", "-", "--live", "--rejects", tm.dir+"/r.csv").ok().line("new", "1")
	tm.run("status").ok().line("events", "0 not yet")
}
