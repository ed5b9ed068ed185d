package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"touchstone/internal/cli"
)

// transcript is what a command that runs on has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// TestServe serves the gateway and the console on addresses of their own, and
// stops when it is told to. A console that other machines reach in clear text is
// refused.
func TestServe(t *testing.T) {
	t.Parallel()
	box, err := live()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"DATABASE_URL": box.Config.DatabaseURL, "TEMPORAL_ADDRESS": box.Config.Temporal.Address, "TEMPORAL_NAMESPACE": box.Config.Temporal.Namespace,
		"TOUCHSTONE_LINK_KEYS": box.Config.Gateway.LinkKeys[0], "SENDGRID_API_KEY": "SG.x", "SENDGRID_BASE_URL": box.SandboxURL, "OPENAI_BASE_URL": box.SandboxURL + "/v1",
		"TOUCHSTONE_LISTEN": "127.0.0.1:0", "TOUCHSTONE_CONSOLE_LISTEN": "127.0.0.1:0",
	}
	serve := func(ctx context.Context, stderr io.Writer) int {
		return cli.Run(ctx, []string{"--data", filepath.Join(t.TempDir(), "data"), "serve"}, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: stderr,
			LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	written, code := &transcript{}, make(chan int, 1)
	go func() { code <- serve(ctx, written) }()
	addresses := regexp.MustCompile(`gateway on (http://\S+), console on (http://[^\s;]+)`)
	var found []string
	eventually(t, "both serve", func() bool {
		found = addresses.FindStringSubmatch(written.String())
		return found != nil
	})
	for url, words := range map[string]string{found[1] + "/readyz": `"temporal":"ok"`, found[2] + "/healthz": "ok", found[2] + "/reviews": "Sign in"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), words) {
			t.Errorf("%s: %d %s %v", url, resp.StatusCode, body, err)
		}
	}
	stop()
	if got := <-code; got != 0 {
		t.Errorf("exit %d\n%s", got, written)
	}

	env["TOUCHSTONE_CONSOLE_LISTEN"] = "0.0.0.0:0"
	refused := &transcript{}
	if got := serve(t.Context(), refused); got == 0 || !strings.Contains(refused.String(), "TOUCHSTONE_CONSOLE_URL") {
		t.Errorf("exit %d\n%s", got, refused)
	}
}
