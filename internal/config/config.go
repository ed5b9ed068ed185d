// Package config is Touchstone's configuration: one struct, its defaults, where
// values come from, and what makes a configuration impossible. Level 1.
package config

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is everything a Touchstone process needs to know. Precedence: flag,
// environment, file, default. The zero value of a field means its default.
type Config struct {
	DatabaseURL string   `yaml:"database_url"`
	Temporal    Temporal `yaml:"temporal"`
	Gateway     Gateway  `yaml:"gateway"`
	Console     Console  `yaml:"console"`
	SendGrid    SendGrid `yaml:"sendgrid"`
	OpenAI      OpenAI   `yaml:"openai"`
	Review      Review   `yaml:"review"`
	Watch       Watch    `yaml:"watch"`
	Privacy     Privacy  `yaml:"privacy"`
	Intake      Intake   `yaml:"intake"`
	BrandFile   string   `yaml:"brand_file"`  // empty: the shipped example brand
	PolicyFile  string   `yaml:"policy_file"` // empty: the shipped guardrail policy
	// GlobalHoldout is the share of customers who never receive marketing, so
	// that the whole programme's lift can be measured; in [0,0.5].
	GlobalHoldout float64 `yaml:"global_holdout"`
	// AttributionWindow is how long after a touch an order is credited to it.
	AttributionWindow time.Duration `yaml:"attribution_window"`
	// MetricsListen is where a worker serves /metrics; empty = nowhere. The
	// gateway serves its own.
	MetricsListen string `yaml:"metrics_listen"`
	LogLevel      string `yaml:"log_level"` // debug, info, warn, error
	LogFormat     string `yaml:"log_format"`
}

// Temporal says how to reach the cluster.
type Temporal struct {
	Address   string `yaml:"address"`
	Namespace string `yaml:"namespace"`
	APIKey    string `yaml:"api_key"`
	TLSCert   string `yaml:"tls_cert"` // client certificate file, with TLSKey: mTLS
	TLSKey    string `yaml:"tls_key"`
	TLS       bool   `yaml:"tls"`
	UIURL     string `yaml:"ui_url"` // for links shown to people
}

// TLSConfig returns the client's TLS settings, nil for a plain connection.
func (t Temporal) TLSConfig() (*tls.Config, error) {
	if t.TLSCert == "" {
		if t.TLS || t.APIKey != "" {
			return &tls.Config{MinVersion: tls.VersionTLS12}, nil
		}
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.TLSCert, t.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// Gateway says where and as whom we listen.
type Gateway struct {
	Listen    string   `yaml:"listen"`
	PublicURL string   `yaml:"public_url"` // base of the links in messages
	WriteKeys []string `yaml:"write_keys"` // KEY or NAME:KEY, accepted on event doors; several while keys rotate
	LinkKeys  []string `yaml:"link_keys"`  // sign links; the first signs, all verify; at least 32 characters
}

// SendGrid is the e-mail provider.
type SendGrid struct {
	APIKey      string   `yaml:"api_key"`
	BaseURL     string   `yaml:"base_url"`
	WebhookKeys []string `yaml:"webhook_keys"` // public keys of the event webhook; several while keys rotate
	PerSecond   float64  `yaml:"per_second"`   // rate over all workers; 0 = no limit of ours
	InFlight    int      `yaml:"in_flight"`    // calls at once per worker process
}

// OpenAI is any OpenAI-compatible endpoint; an empty key means templates only.
type OpenAI struct {
	APIKey  string        `yaml:"api_key"`
	BaseURL string        `yaml:"base_url"`
	Model   string        `yaml:"model"`
	Timeout time.Duration `yaml:"timeout"`
	// Prices in minor units of the brand's currency per million tokens.
	InputPrice   float64 `yaml:"input_price"`
	OutputPrice  float64 `yaml:"output_price"`
	BudgetPerDay int64   `yaml:"budget_per_day"` // minor units of the brand's currency; 0 = none
}

// Review says how long people have. Wall-clock times.
type Review struct {
	SLA      time.Duration `yaml:"sla"`
	Escalate time.Duration `yaml:"escalate"`
	Expire   time.Duration `yaml:"expire"`
}

// Defaults returns a configuration for one machine.
func Defaults() Config {
	return Config{
		Temporal:          Temporal{Address: "127.0.0.1:7233", Namespace: "default"},
		Gateway:           Gateway{Listen: "127.0.0.1:8700", PublicURL: "http://127.0.0.1:8700"},
		Console:           Console{Listen: "127.0.0.1:8702", PublicURL: "http://127.0.0.1:8702"},
		SendGrid:          SendGrid{BaseURL: "https://api.sendgrid.com", InFlight: 32},
		OpenAI:            OpenAI{BaseURL: "https://api.openai.com/v1", Model: "gpt-4o-mini", Timeout: 20 * time.Second, InputPrice: 15, OutputPrice: 60, BudgetPerDay: 1000},
		Review:            Review{SLA: 5 * time.Minute, Escalate: 30 * time.Minute, Expire: 24 * time.Hour},
		Watch:             defaultWatch(),
		Intake:            defaultIntake(),
		GlobalHoldout:     0.05,
		AttributionWindow: 7 * 24 * time.Hour,
		LogLevel:          "info",
		LogFormat:         "text",
	}
}

// Load reads the file, if named, and the environment over the defaults.
// lookup is os.LookupEnv in production.
func Load(file string, lookup func(string) (string, bool)) (Config, error) {
	c := Defaults()
	if file != "" {
		source, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("configuration file: %w", err)
		}
		if err := yaml.UnmarshalWithOptions(source, &c, yaml.Strict()); err != nil {
			return c, fmt.Errorf("configuration file %s: %w", file, err)
		}
	}
	return c, c.environment(lookup)
}

// environment lays environment variables over the configuration.
func (c *Config) environment(lookup func(string) (string, bool)) error {
	text := map[string]*string{
		"DATABASE_URL":                  &c.DatabaseURL,
		"TEMPORAL_ADDRESS":              &c.Temporal.Address,
		"TEMPORAL_NAMESPACE":            &c.Temporal.Namespace,
		"TEMPORAL_API_KEY":              &c.Temporal.APIKey,
		"TEMPORAL_TLS_CLIENT_CERT_PATH": &c.Temporal.TLSCert,
		"TEMPORAL_TLS_CLIENT_KEY_PATH":  &c.Temporal.TLSKey,
		"TEMPORAL_UI_URL":               &c.Temporal.UIURL,
		"TOUCHSTONE_LISTEN":             &c.Gateway.Listen,
		"TOUCHSTONE_PUBLIC_URL":         &c.Gateway.PublicURL,
		"TOUCHSTONE_CONSOLE_LISTEN":     &c.Console.Listen,
		"TOUCHSTONE_CONSOLE_URL":        &c.Console.PublicURL,
		"TOUCHSTONE_OIDC_ISSUER":        &c.Console.OIDC.Issuer,
		"TOUCHSTONE_OIDC_CLIENT_ID":     &c.Console.OIDC.ClientID,
		"TOUCHSTONE_OIDC_CLIENT_SECRET": &c.Console.OIDC.ClientSecret,
		"SENDGRID_API_KEY":              &c.SendGrid.APIKey,
		"SENDGRID_BASE_URL":             &c.SendGrid.BaseURL,
		"OPENAI_API_KEY":                &c.OpenAI.APIKey,
		"OPENAI_BASE_URL":               &c.OpenAI.BaseURL,
		"OPENAI_MODEL":                  &c.OpenAI.Model,
		"TOUCHSTONE_BRAND":              &c.BrandFile,
		"TOUCHSTONE_POLICY":             &c.PolicyFile,
		"TOUCHSTONE_METRICS_LISTEN":     &c.MetricsListen,
		"TOUCHSTONE_ALERT_WEBHOOK":      &c.Watch.Webhook,
		"TOUCHSTONE_WATCH_PROBE":        &c.Watch.Probe,
		"TOUCHSTONE_CLIENT_IP_HEADER":   &c.Privacy.ClientIPHeader,
		"TOUCHSTONE_LOG_LEVEL":          &c.LogLevel,
		"TOUCHSTONE_LOG_FORMAT":         &c.LogFormat,
	}
	for name, field := range text {
		if v, ok := lookup(name); ok {
			*field = v
		}
	}
	lists := map[string]*[]string{
		"TOUCHSTONE_WRITE_KEYS":   &c.Gateway.WriteKeys,
		"TOUCHSTONE_LINK_KEYS":    &c.Gateway.LinkKeys,
		"SENDGRID_WEBHOOK_KEYS":   &c.SendGrid.WebhookKeys,
		"TOUCHSTONE_ALERT_EMAIL":  &c.Watch.Email,
		"TOUCHSTONE_PRIVACY_KEYS": &c.Privacy.Keys,
	}
	for name, field := range lists {
		if v, ok := lookup(name); ok {
			*field = nil
			if v != "" {
				*field = strings.Split(v, ",")
			}
		}
	}
	if v, ok := lookup("TOUCHSTONE_GLOBAL_HOLDOUT"); ok {
		share, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("TOUCHSTONE_GLOBAL_HOLDOUT %q: give a share such as 0.05", v)
		}
		c.GlobalHoldout = share
	}
	return nil
}

// LinkKeys returns the keys that sign links, as bytes.
func (c Config) LinkKeys() [][]byte {
	keys := make([][]byte, len(c.Gateway.LinkKeys))
	for i, k := range c.Gateway.LinkKeys {
		keys[i] = []byte(k)
	}
	return keys
}

// Validate reports everything that makes the configuration impossible, one
// sentence each, saying what to do. scaled says that a scaled clock is on: it
// refuses real provider hosts.
func (c Config) Validate(scaled bool) []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.DatabaseURL == "" {
		add("no database: set DATABASE_URL, or start everything on this machine with `touchstone dev`")
	}
	if c.GlobalHoldout < 0 || c.GlobalHoldout > 0.5 {
		add("global_holdout %v: give a share from 0 to 0.5", c.GlobalHoldout)
	}
	for _, k := range c.Gateway.LinkKeys {
		if len(k) < 32 {
			add("a link key has %d characters: use at least 32, for example from `openssl rand -hex 32`", len(k))
		}
	}
	if len(c.Gateway.LinkKeys) == 0 {
		add("no link key: unsubscribe links cannot be signed; set TOUCHSTONE_LINK_KEYS")
	}
	if !(0 < c.Review.SLA && c.Review.SLA <= c.Review.Escalate && c.Review.Escalate <= c.Review.Expire) {
		add("review: sla, escalate and expire must be positive and in this order")
	}
	problems = append(problems, c.Watch.problems(scaled)...)
	problems = append(problems, c.Intake.problems()...)
	if (c.Temporal.TLSCert == "") != (c.Temporal.TLSKey == "") {
		add("temporal: mTLS needs both the certificate and the key file")
	}
	problems = append(problems, c.Console.problems()...)
	problems = append(problems, c.Privacy.problems(c.Gateway.WriteKeys)...)
	for name, base := range map[string]string{"sendgrid.base_url": c.SendGrid.BaseURL, "openai.base_url": c.OpenAI.BaseURL, "gateway.public_url": c.Gateway.PublicURL} {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" {
			add("%s %q: give an absolute URL", name, base)
			continue
		}
		if scaled && !loopback(u.Hostname()) {
			add("%s %q: a scaled clock is on, so only sandbox hosts on this machine are allowed", name, base)
		}
	}
	return problems
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}
