package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// temporalNamespace is the namespace that the dev server makes by itself.
const temporalNamespace = "default"

// searchAttributes are those that Touchstone's workflows set.
var searchAttributes = map[string]enums.IndexedValueType{
	"Journey":     enums.INDEXED_VALUE_TYPE_KEYWORD,
	"Campaign":    enums.INDEXED_VALUE_TYPE_KEYWORD,
	"Customer":    enums.INDEXED_VALUE_TYPE_KEYWORD,
	"ReviewState": enums.INDEXED_VALUE_TYPE_KEYWORD,
	"DueAt":       enums.INDEXED_VALUE_TYPE_DATETIME,
}

// temporal is a dev server and, while it runs, its process.
type temporal struct {
	path    string // the CLI
	folder  string // working folder
	file    string // SQLite file, or empty for memory
	logs    string
	port    int
	guard   *guard
	onCrash func(error)
	child   *child
}

var serverShutdown = []step{{syscall.SIGINT, 15 * time.Second}, {syscall.SIGTERM, 5 * time.Second}, kill}

func (s *temporal) args() []string {
	args := []string{"server", "start-dev", "--headless", "--ip", loopback, "--port", strconv.Itoa(s.port), "--log-level", "error"}
	if s.file != "" {
		// The defaults of the SQLite file are two to three times slower.
		args = append(args, "--db-filename", s.file, "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")
	}
	names := make([]string, 0, len(searchAttributes))
	for name := range searchAttributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "--search-attribute", name+"="+searchAttributes[name].String())
	}
	return args
}

// start runs the dev server on the port and waits until it is healthy, has its
// namespace and knows the search attributes.
func (s *temporal) start(ctx context.Context) error {
	c, err := startChild(childSpec{
		name: "temporal", path: s.path, args: s.args(), env: cleanEnv([]string{"TEMPORAL_"}), dir: s.folder,
		log: filepath.Join(s.logs, "temporal.log"), deathSignal: syscall.SIGTERM, onCrash: s.onCrash,
	}, s.guard)
	if err != nil {
		return err
	}
	s.child = c
	if err = c.ready(ctx, 60*time.Second, s.probe); err != nil {
		return errors.Join(err, s.stop(context.WithoutCancel(ctx), []step{kill}))
	}
	return nil
}

func (s *temporal) stop(ctx context.Context, steps []step) error {
	if s.child == nil {
		return nil
	}
	return s.child.stop(ctx, steps...)
}

// probe succeeds when workflows can be started.
func (s *temporal) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	// The SDK would wait through several back-offs for a port nobody listens on.
	if portFree(s.port) {
		return errors.New("nobody listens yet")
	}
	c, err := client.DialContext(ctx, client.Options{
		HostPort: address(s.port), Namespace: temporalNamespace,
		Logger: sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return err
	}
	return addSearchAttributes(ctx, c)
}

// addSearchAttributes adds what is missing: a file made by an older Touchstone
// may lack some, because the server applies its flags to new files only.
func addSearchAttributes(ctx context.Context, c client.Client) error {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: temporalNamespace})
	if err != nil {
		return err
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range searchAttributes {
		if _, ok := known.GetCustomAttributes()[name]; !ok {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: temporalNamespace, SearchAttributes: missing})
	return err
}

// removeFile drops the SQLite file and what SQLite keeps beside it.
func (s *temporal) removeFile() error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(s.file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop Temporal's data: %w", err)
		}
	}
	return nil
}

// findTemporal returns a `temporal` from PATH whose server is at least as new
// as the one we would build, else builds it.
func findTemporal(ctx context.Context, binDir string, report func(string)) (string, error) {
	if path, err := exec.LookPath(temporalCLI.name); err == nil {
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err == nil && servesUs(string(out)) {
			return path, nil
		}
		report(fmt.Sprintf("the temporal command in PATH (%s) is too old, using our own", path))
	}
	return temporalCLI.ensure(ctx, binDir, report)
}

var serverVersion = regexp.MustCompile(`\(Server (\d{1,5})\.(\d{1,5})\.(\d{1,5})`)

// oldestServer is the server inside CLI 1.5.1.
var oldestServer = []int{1, 29, 1}

// servesUs reads the answer to `temporal --version`, such as "temporal version
// 1.5.1 (Server 1.29.1, UI 2.42.1)". The server's version counts: a CLI built
// from source calls itself 0.0.0-DEV.
func servesUs(answer string) bool {
	m := serverVersion.FindStringSubmatch(answer)
	if m == nil {
		return false
	}
	version := make([]int, 0, 3)
	for _, part := range m[1:] {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		version = append(version, n)
	}
	return slices.Compare(version, oldestServer) >= 0
}

func startsWithModule(goMod []byte, name string) bool {
	line, _, _ := strings.Cut(string(goMod), "\n")
	return strings.TrimSpace(line) == "module "+name
}
