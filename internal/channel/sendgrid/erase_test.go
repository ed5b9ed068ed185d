package sendgrid_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/sandbox"
)

func TestErase(t *testing.T) {
	t.Parallel()
	stand, _, client := newSandbox(t, 5*time.Second)
	job, err := client.Erase(t.Context(), "ada@customer.example")
	if err != nil || job == "" || !slices.Equal(stand.Erased(), []string{"ada@customer.example"}) || len(stand.Violations()) != 0 {
		t.Fatalf("job %q, %v; erased %v, violations %+v", job, err, stand.Erased(), stand.Violations())
	}
	_, err = client.Erase(t.Context(), "ada@@customer.example")
	if channel.ClassOf(err) != channel.Refused || strings.Contains(err.Error(), "customer.example") || len(stand.Violations()) != 1 {
		t.Errorf("a bad address: %v, %+v", err, stand.Violations())
	}
	for kind, want := range map[sandbox.FaultKind]channel.Class{sandbox.RateLimited: channel.Transient, sandbox.Unavailable: channel.Transient, sandbox.CutBefore: channel.Transient} {
		_, _, client := newSandbox(t, 5*time.Second, sandbox.Fault{Vendor: sandbox.SendGrid, Kind: kind, Rate: 1})
		if _, err := client.Erase(t.Context(), "ada@customer.example"); channel.ClassOf(err) != want {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestEraseWithoutTheScope: an account for which the API is not enabled needs a person.
func TestEraseWithoutTheScope(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]channel.Class{403: channel.Misconfigured, 404: channel.Misconfigured, 500: channel.Transient, 202: ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v3/recipients/erasejob" || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer SG.key" {
				t.Errorf("%s %s", r.Method, r.URL.Path)
			}
			w.WriteHeader(status)
		}))
		client, err := sendgrid.New(sendgrid.Config{APIKey: "SG.key", BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Erase(t.Context(), "ada@customer.example")
		if err != nil && channel.ClassOf(err) != want || err == nil && want != "" {
			t.Errorf("status %d: %v", status, err)
		}
		client.Close()
		server.Close()
	}
}
