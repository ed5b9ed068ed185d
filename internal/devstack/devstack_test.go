package devstack_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"touchstone/internal/devstack"
	"touchstone/internal/lifecycle"
)

func TestEphemeralStackLosesNothingOverRestartsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := start(t, devstack.Options{Ephemeral: true, TemporalFile: true, Postgres: true, Temporal: true, UI: true})

	execute(t, s.DatabaseURL, "create table kept as select 'ä' as letter")
	if got := query(t, s.DatabaseURL, "select upper(letter) from kept"); got != "Ä" {
		t.Errorf("the cluster does not know letters beyond ASCII: upper('ä') is %q", got)
	}
	startWorkflow(t, s, "kept")
	checkUI(t, s)

	database, frontend, before := s.DatabaseURL, s.TemporalAddress, s.Processes()
	if err := s.RestartPostgres(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.RestartTemporal(ctx); err != nil {
		t.Fatal(err)
	}
	if s.DatabaseURL != database || s.TemporalAddress != frontend {
		t.Errorf("a restart moved an engine: %s, %s", s.DatabaseURL, s.TemporalAddress)
	}
	if got := query(t, database, "select count(*)::text from kept"); got != "1" {
		t.Errorf("rows after the restart: %s, want 1", got)
	}
	if !workflowRuns(t, s, "kept") {
		t.Error("the workflow did not survive the restart of Temporal")
	}
	after := s.Processes()
	for i, name := range []string{"postgres", "temporal"} {
		if before[i].Name != name || after[i].Name != name || before[i].PID == after[i].PID {
			t.Errorf("%s was not restarted: %v then %v", name, before[i], after[i])
		}
	}

	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Errorf("second stop: %v", err)
	}
	for _, p := range append(before, after...) {
		if err := syscall.Kill(p.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s still runs as process %d after the stop", p.Name, p.PID)
		}
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder %s is left behind", s.Dir)
	}
	select {
	case err := <-s.Exited():
		t.Errorf("a stop was reported as a crash: %v", err)
	default:
	}
}

func TestLastingStackKeepsDataAndPortsUntilFresh(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := reachableDir(t)
	options := devstack.Options{Dir: dir, Postgres: true}

	first := start(t, options)
	execute(t, first.DatabaseURL, "create table kept ()")
	if _, err := devstack.Start(ctx, options); lifecycle.CodeOf(err) != lifecycle.Conflict {
		t.Errorf("second start on the same folder: %v, want a conflict", err)
	}
	if err := first.Stop(ctx); err != nil {
		t.Fatal(err)
	}

	second := start(t, options)
	if second.DatabaseURL != first.DatabaseURL {
		t.Errorf("the database moved from %s to %s", first.DatabaseURL, second.DatabaseURL)
	}
	if !hasTable(t, second, "kept") {
		t.Error("the table did not survive a restart")
	}
	if got := query(t, second.DatabaseURL, "show synchronous_commit"); got != "on" {
		t.Errorf("synchronous_commit is %s, want on", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "postgres.password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file is readable to others or missing: %v %v", info.Mode(), err)
	}
	if err := second.Stop(ctx); err != nil {
		t.Fatal(err)
	}

	options.Fresh = true
	third := start(t, options)
	if hasTable(t, third, "kept") {
		t.Error("the table survived a fresh start")
	}
}

func TestLastingTemporalGetsSearchAttributesItLacks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	options := devstack.Options{Dir: reachableDir(t), Temporal: true}
	s := start(t, options)
	c := dial(t, s)
	if _, err := c.OperatorService().RemoveSearchAttributes(ctx, &operatorservice.RemoveSearchAttributesRequest{
		Namespace: s.TemporalNamespace, SearchAttributes: []string{"Journey"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	startWorkflow(t, start(t, options), "journey-attribute-is-back")
}

func TestCrashIsReported(t *testing.T) {
	t.Parallel()
	s := start(t, devstack.Options{Ephemeral: true, Postgres: true})
	if err := syscall.Kill(s.Processes()[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Exited():
		if lifecycle.CodeOf(err) != lifecycle.Unavailable || !strings.Contains(err.Error(), "postgres") {
			t.Errorf("crash reported as %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the crash was not reported within 20 s")
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]devstack.Options{
		"no folder":           {Postgres: true},
		"UI without Temporal": {Ephemeral: true, UI: true},
	} {
		if _, err := devstack.Start(t.Context(), o); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("%s: %v, want an invalid-options error", name, err)
		}
	}
	s := start(t, devstack.Options{Ephemeral: true})
	for name, restart := range map[string]func(context.Context) error{"postgres": s.RestartPostgres, "temporal": s.RestartTemporal} {
		if err := restart(t.Context()); lifecycle.CodeOf(err) != lifecycle.Invalid {
			t.Errorf("restart of %s that does not run: %v", name, err)
		}
	}
}

func start(t *testing.T, o devstack.Options) *devstack.Stack {
	t.Helper()
	o.Progress = func(line string) { t.Log(line) }
	s, err := devstack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reachableDir is a folder that the database's account may enter, which
// t.TempDir is not when tests run as root.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "devstack-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, url, sql string) (result string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&result); err != nil {
		t.Fatal(err)
	}
	return result
}

func hasTable(t *testing.T, s *devstack.Stack, name string) bool {
	t.Helper()
	return query(t, s.DatabaseURL, "select (to_regclass('"+name+"') is not null)::text") == "true"
}

func dial(t *testing.T, s *devstack.Stack) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.TemporalAddress, Namespace: s.TemporalNamespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// startWorkflow starts one that nobody works on, with every search attribute.
func startWorkflow(t *testing.T, s *devstack.Stack, id string) {
	t.Helper()
	keyword := func(name, value string) temporal.SearchAttributeUpdate {
		return temporal.NewSearchAttributeKeyKeyword(name).ValueSet(value)
	}
	_, err := dial(t, s).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(keyword("Journey", "winback"), keyword("Campaign", "spring"),
			keyword("Customer", "c1"), keyword("ReviewState", "awaiting"),
			temporal.NewSearchAttributeKeyTime("DueAt").ValueSet(time.Now()))}, "Nothing")
	if err != nil {
		t.Fatal(err)
	}
}

func workflowRuns(t *testing.T, s *devstack.Stack, id string) bool {
	t.Helper()
	d, err := dial(t, s).DescribeWorkflowExecution(t.Context(), id, "")
	return err == nil && d.GetWorkflowExecutionInfo().GetStatus().String() == "Running"
}

// checkUI asks the UI server for its settings: what a reviewer must not press
// is off, what decides a review is on, the page talks to our Temporal, and only
// this machine can reach it.
func checkUI(t *testing.T, s *devstack.Stack) {
	t.Helper()
	var settings map[string]any
	getJSON(t, s.UIURL+"/api/v1/settings", &settings)
	for _, off := range []string{"WorkflowCancelDisabled", "WorkflowTerminateDisabled", "WorkflowResetDisabled",
		"BatchActionsDisabled", "StartWorkflowDisabled"} {
		if settings[off] != true {
			t.Errorf("%s is %v, want true", off, settings[off])
		}
	}
	for _, on := range []string{"WorkflowSignalDisabled", "WorkflowUpdateDisabled", "DisableWriteActions"} {
		if settings[on] != false {
			t.Errorf("%s is %v, want false", on, settings[on])
		}
	}
	var namespace map[string]any
	getJSON(t, s.UIURL+"/api/v1/namespaces/"+s.TemporalNamespace, &namespace)
	if namespace["namespaceInfo"] == nil {
		t.Errorf("the UI does not see namespace %s: %v", s.TemporalNamespace, namespace)
	}
	resp, err := http.Get(s.UIURL + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the UI's page answers %s", resp.Status)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.UIURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range outsideAddresses(t) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), time.Second)
		if err == nil {
			conn.Close()
			t.Errorf("the UI listens on %s too", ip)
		}
	}
}

func outsideAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var ips []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			ips = append(ips, n.IP.String())
		}
	}
	return slices.Compact(ips)
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s answers %s: %v", url, resp.Status, err)
	}
}
