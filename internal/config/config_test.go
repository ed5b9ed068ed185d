package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/internal/config"
)

func env(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "touchstone.yaml")
	if err := os.WriteFile(file, []byte("temporal: {address: file:1, namespace: ns}\nglobal_holdout: 0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, env(map[string]string{"TEMPORAL_ADDRESS": "env:1", "TOUCHSTONE_LINK_KEYS": "a,b"}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Temporal.Address != "env:1" || c.Temporal.Namespace != "ns" || c.GlobalHoldout != 0.1 || c.SendGrid.InFlight != 32 || len(c.Gateway.LinkKeys) != 2 {
		t.Errorf("environment over file over default: %+v", c)
	}
	if err := os.WriteFile(file, []byte("temporal: {adress: typo}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file, env(nil)); err == nil || !strings.Contains(err.Error(), "adress") {
		t.Errorf("a misspelt field must be named: %v", err)
	}
	if _, err := config.Load("", env(map[string]string{"TOUCHSTONE_GLOBAL_HOLDOUT": "five"})); err == nil {
		t.Error("a holdout that is no number must be refused")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := config.Defaults()
	good.DatabaseURL, good.Gateway.LinkKeys = "postgres://x", []string{strings.Repeat("k", 32)}
	if problems := good.Validate(false); len(problems) > 0 {
		t.Errorf("a complete configuration: %v", problems)
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		scaled bool
		word   string
	}{
		"no database":        {func(c *config.Config) { c.DatabaseURL = "" }, false, "DATABASE_URL"},
		"short link key":     {func(c *config.Config) { c.Gateway.LinkKeys = []string{"short"} }, false, "32"},
		"no link key":        {func(c *config.Config) { c.Gateway.LinkKeys = nil }, false, "TOUCHSTONE_LINK_KEYS"},
		"holdout above half": {func(c *config.Config) { c.GlobalHoldout = 0.6 }, false, "global_holdout"},
		"deadlines crossed":  {func(c *config.Config) { c.Review.Escalate = 1 }, false, "in this order"},
		"warning above halt": {func(c *config.Config) { c.Watch.ComplaintsWarn = 0.01 }, false, "complaints_warn"},
		"no limit":           {func(c *config.Config) { c.Watch.BouncesHalt = 0 }, false, "bounces_halt"},
		"no minimum":         {func(c *config.Config) { c.Watch.Minimum = 0 }, false, "minimum"},
		"no holiday":         {func(c *config.Config) { c.Watch.Holidays = []string{"Christmas"} }, false, "2026-12-25"},
		"no webhook":         {func(c *config.Config) { c.Watch.Webhook = "hooks.example/x" }, false, "webhook"},
		"real hook, scaled":  {func(c *config.Config) { c.Watch.Webhook = "https://hooks.example/x" }, true, "webhook"},
		"no operator":        {func(c *config.Config) { c.Watch.Email = []string{"ops"} }, false, "ops@example.com"},
		"half of mTLS":       {func(c *config.Config) { c.Temporal.TLSCert = "x" }, false, "mTLS"},
		"console in clear":   {func(c *config.Config) { c.Console.Listen = "0.0.0.0:8702" }, false, "TOUCHSTONE_CONSOLE_URL"},
		"console nowhere":    {func(c *config.Config) { c.Console.Listen = "8702" }, false, "host:port"},
		"console under path": {func(c *config.Config) { c.Console.PublicURL = "https://x.example/console" }, false, "without a path"},
		"console URL":        {func(c *config.Config) { c.Console.PublicURL = "javascript:x" }, false, "console.public_url"},
		"half of OpenID":     {func(c *config.Config) { c.Console.OIDC.Issuer = "https://x.example" }, false, "client_id"},
		"real host, scaled":  {func(*config.Config) {}, true, "sandbox"},
	} {
		bad := good
		c.change(&bad)
		if problems := strings.Join(bad.Validate(c.scaled), "\n"); !strings.Contains(problems, c.word) {
			t.Errorf("%s: %q does not say %q", name, problems, c.word)
		}
	}
}
