package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// uiConfig switches off what a reviewer must not press: the page of a waiting
// review has cancel as its most visible button. Signals and updates, by which
// reviews are decided, stay. The cookie is marked insecure because the page is
// served over plain HTTP on this machine, where some browsers drop secure ones.
const uiConfig = `# Written by Touchstone at every start.
temporalGrpcAddress: %s
host: %s
port: %d
enableUi: true
defaultNamespace: %s
disableNewsFetch: true
hideLogs: true
workflowCancelDisabled: true
workflowTerminateDisabled: true
workflowResetDisabled: true
workflowPauseDisabled: true
batchActionsDisabled: true
startWorkflowDisabled: true
activityCommandsDisabled: true
cors:
  cookieInsecure: true
  allowOrigins:
    - %q
`

// ui is the stand-alone Temporal UI and, while it runs, its process.
type ui struct {
	path     string
	folder   string // for its configuration
	logs     string
	port     int
	temporal string // address of the server it shows
	guard    *guard
	onCrash  func(error)
	child    *child
}

func (u *ui) url() string { return "http://" + address(u.port) }

func (u *ui) start(ctx context.Context) error {
	if err := os.MkdirAll(u.folder, 0o755); err != nil {
		return fmt.Errorf("configure the Temporal UI: %w", err)
	}
	config := fmt.Sprintf(uiConfig, u.temporal, loopback, u.port, temporalNamespace, u.url())
	if err := os.WriteFile(filepath.Join(u.folder, "touchstone.yaml"), []byte(config), 0o644); err != nil {
		return fmt.Errorf("configure the Temporal UI: %w", err)
	}
	c, err := startChild(childSpec{
		name: "temporal-ui", path: u.path, args: []string{"--root", u.folder, "--config", ".", "--env", "touchstone", "start"},
		env: cleanEnv([]string{"TEMPORAL_"}), dir: u.folder,
		log: filepath.Join(u.logs, "temporal-ui.log"), deathSignal: syscall.SIGTERM, onCrash: u.onCrash,
	}, u.guard)
	if err != nil {
		return err
	}
	u.child = c
	if err := c.ready(ctx, 30*time.Second, u.probe); err != nil {
		return errors.Join(err, u.stop(context.WithoutCancel(ctx), []step{kill}))
	}
	return nil
}

func (u *ui) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url()+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health check answers %s", resp.Status)
	}
	return nil
}

func (u *ui) stop(ctx context.Context, steps []step) error {
	if u.child == nil {
		return nil
	}
	return u.child.stop(ctx, steps...)
}
