package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/gateway"
	"touchstone/internal/ingest"
	"touchstone/internal/link"
	"touchstone/internal/postgres"
)

// gatewayPlan is the environment variable that turns the test binary into a
// gateway of its own, which a test may kill.
const gatewayPlan = "TOUCHSTONE_TEST_GATEWAY"

func TestMain(m *testing.M) {
	if plan := os.Getenv(gatewayPlan); plan != "" {
		if err := runGateway(context.Background(), plan); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plan is what a gateway process is told.
type plan struct{ Database, Listen string }

func runGateway(ctx context.Context, text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, p.Database, postgres.Options{MaxConnections: 4})
	if err != nil {
		return err
	}
	links, err := link.NewSigner([]byte("a signing key for these tests, long enough"))
	if err != nil {
		return err
	}
	s, err := gateway.New(gateway.Config{Brand: "Fern & Co", Currency: "GBP", Links: links, WriteKeys: []string{writeKey},
		Outcomes: store, Unsubscribing: store, Tracking: store, Listens: store.Listens, KeepRejected: 100, RejectedFor: time.Hour})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.Listen)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// gatewayProcess is a gateway that dies like any process.
type gatewayProcess struct {
	t    *testing.T
	plan plan
	cmd  *exec.Cmd
}

func (g *gatewayProcess) start() {
	g.t.Helper()
	text, err := json.Marshal(g.plan)
	if err != nil {
		g.t.Fatal(err)
	}
	g.cmd = exec.Command(os.Args[0])
	g.cmd.Env = append(os.Environ(), gatewayPlan+"="+string(text))
	g.cmd.Stderr = os.Stderr
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", g.plan.Listen)
		if err == nil {
			if err := conn.Close(); err != nil {
				g.t.Error(err)
			}
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway does not listen: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill ends the process as a power cut would.
func (g *gatewayProcess) kill() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Signal(syscall.SIGKILL) // it may be dead already
	_ = g.cmd.Wait()                          // it was killed: that is no news
	g.cmd = nil
}

// segmentLibrary installs Segment's library for Node into a folder of its own, or
// skips the test.
func segmentLibrary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("installs a library of Node and sends 10,000 events")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: Segment's library for Node cannot run", tool)
		}
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "@segment/analytics-node@3.1.0")
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install @segment/analytics-node: %v\n%s", err, out)
	}
	source, err := os.ReadFile("testdata/segment.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "segment.js"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSegmentLibraryLosesNothing sends events through Segment's own library while
// the gateway is killed and started again on the same port, twice. Every event is
// stored, once.
func TestSegmentLibraryLosesNothing(t *testing.T) {
	dir := segmentLibrary(t)
	const total = 10_000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gatewayProcess{t: t, plan: plan{pgtest.Migrated(t, postgres.Migrate), l.Addr().String()}}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pgxpool.New(t.Context(), g.plan.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	stored := func() (n int) {
		if err := db.QueryRow(t.Context(), "select count(*) from events").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	g.start()
	t.Cleanup(g.kill)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "segment.js", "http://"+g.plan.Listen, writeKey, fmt.Sprint(total))
	node.Dir = dir
	var said, complaints bytes.Buffer
	node.Stdout, node.Stderr = &said, &complaints
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	var finish sync.Once
	done := make(chan error, 1)
	go func() { done <- node.Wait() }()
	t.Cleanup(func() { finish.Do(func() { cancel(); <-done }) })

	for _, mark := range []int{total / 5, total / 2} {
		for deadline := time.Now().Add(time.Minute); stored() < mark; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d events after a minute, want %d\n%s", stored(), mark, complaints.Bytes())
			}
		}
		g.kill()
		t.Logf("killed with %d events stored", stored())
		time.Sleep(1500 * time.Millisecond)
		if n := stored(); n == total {
			t.Fatal("everything was sent before the gateway was killed: the test proves nothing")
		}
		g.start()
	}
	err = nil
	finish.Do(func() { err = <-done })
	if err != nil {
		t.Fatalf("node: %v\n%s", err, complaints.Bytes())
	}

	sent := map[string]bool{}
	for lines := bufio.NewScanner(&said); lines.Scan(); {
		id, ok := strings.CutPrefix(lines.Text(), "sent ")
		if !ok {
			t.Errorf("the library says: %s", lines.Text())
			continue
		}
		sent[string(ingest.EventIDOf(id))] = true
	}
	if len(sent) != total {
		t.Errorf("the library delivered %d events, want %d", len(sent), total)
	}
	rows, err := db.Query(t.Context(), "select id::text, (properties ->> 'n')::int, count(*) over (partition by properties ->> 'n') from events")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found, doubled, unknown := map[int]bool{}, 0, 0
	for rows.Next() {
		var id string
		var n, copies int
		if err := rows.Scan(&id, &n, &copies); err != nil {
			t.Fatal(err)
		}
		found[n] = true
		if copies > 1 {
			doubled++
		}
		if !sent[id] {
			unknown++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(found) != total || doubled != 0 || unknown != 0 {
		t.Errorf("%d of %d events stored, %d doubled, %d that the library did not name", len(found), total, doubled, unknown)
	}
}
