// Package pgtest gives every test a PostgreSQL database of its own. All tests
// of one test binary share one cluster, which is started for the first of them
// and ends with the process. It imports internal/devstack and the driver only.
//
// Setting TOUCHSTONE_TEST_DATABASE_URL to the URL of a superuser on an existing
// server makes the tests create their databases there instead.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/devstack"
)

// ServerVariable names the environment variable with an existing server's URL.
const ServerVariable = "TOUCHSTONE_TEST_DATABASE_URL"

const (
	databasePrefix = "touchstone_test_"
	templatePrefix = "touchstone_template_"
	// A template on an existing server outlives its process; a later one drops
	// it when it is this old.
	templateLife = 6 * time.Hour
	setupTime    = 5 * time.Minute // installing PostgreSQL included
	sqlTime      = time.Minute
)

// The cluster is the one global here: the tests of one binary have nothing else
// in common, and it must live until the last of them is over, which no test
// can know. It ends when the process does.
var server = sync.OnceValues(startServer)

func startServer() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	if existing := os.Getenv(ServerVariable); existing != "" {
		return existing, dropOldTemplates(ctx, existing)
	}
	stack, err := devstack.Start(ctx, devstack.Options{Ephemeral: true, Postgres: true,
		Progress: func(line string) { fmt.Fprintln(os.Stderr, "pgtest:", line) }})
	if err != nil {
		return "", err
	}
	return stack.DatabaseURL, nil
}

// Database returns the URL of a new, empty database that is dropped after the
// test. Without a PostgreSQL the test fails; the message says what to install.
func Database(t testing.TB) string {
	t.Helper()
	return fromTemplate(t, "template1")
}

// Migrated returns the URL of a new database that migrate has been run on. It
// runs once per process and per function; every further database is a copy, in
// tens of milliseconds. Closures that come from the same line of code count as
// one function, so what migrate does must not depend on captured variables. It
// must leave no connection open.
func Migrated(t testing.TB, migrate func(ctx context.Context, url string) error) string {
	t.Helper()
	name, err := templateOf(migrate)
	if err != nil {
		t.Fatal(err)
	}
	return fromTemplate(t, name)
}

// templates maps the code of a migration to its template database.
var templates sync.Map

func templateOf(migrate func(context.Context, string) error) (string, error) {
	key := reflect.ValueOf(migrate).Pointer()
	made, _ := templates.LoadOrStore(key, sync.OnceValues(func() (string, error) { return makeTemplate(migrate) }))
	return made.(func() (string, error))()
}

func makeTemplate(migrate func(context.Context, string) error) (string, error) {
	admin, err := server()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	name := templatePrefix + strconv.FormatInt(time.Now().Unix(), 10) + "_" + random()
	if err := execute(ctx, admin, "create database "+quote(name)); err != nil {
		return "", fmt.Errorf("create a template database: %w", err)
	}
	at, err := database(admin, name)
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, at); err != nil {
		return "", fmt.Errorf("migrate the template database: %w", err)
	}
	return name, nil
}

func fromTemplate(t testing.TB, template string) string {
	t.Helper()
	admin, err := server()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), sqlTime)
	defer cancel()
	name := databasePrefix + random()
	if err := execute(ctx, admin, "create database "+quote(name)+" template "+quote(template)); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), sqlTime)
		defer cancel()
		if err := execute(ctx, admin, "drop database if exists "+quote(name)+" with (force)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	at, err := database(admin, name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// dropOldTemplates clears what earlier processes left on an existing server.
func dropOldTemplates(ctx context.Context, admin string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return fmt.Errorf("connect to the server that %s names: %w", ServerVariable, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "select datname from pg_database where starts_with(datname, $1)", templatePrefix)
	if err != nil {
		return fmt.Errorf("look for old template databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for old template databases: %w", err)
	}
	for _, name := range names {
		stamp, _, _ := strings.Cut(strings.TrimPrefix(name, templatePrefix), "_")
		made, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || time.Since(time.Unix(made, 0)) < templateLife {
			continue
		}
		if _, err := conn.Exec(ctx, "drop database if exists "+quote(name)); err != nil {
			return fmt.Errorf("drop an old template database: %w", err)
		}
	}
	return nil
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

// database is the admin's URL with another database.
func database(admin, name string) (string, error) {
	u, err := url.Parse(admin)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("%s must be a URL such as postgres://user:password@host:5432/postgres", ServerVariable)
	}
	u.Path = "/" + name
	return u.String(), nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func random() string { return strings.ToLower(rand.Text()[:16]) }
