package sendgrid_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"touchstone/internal/channel"
	"touchstone/internal/channel/sendgrid"
	"touchstone/internal/lifecycle"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		off    bool
		id     lifecycle.TouchID
		status int
		body   string
		want   channel.Presence
		class  channel.Class // empty = no error
	}{
		{name: "found", id: "t-1", status: 200, body: `{"messages":[{"msg_id":"abc.filter-1"}]}`, want: channel.Found},
		{name: "not in the feed", id: "t-1", status: 200, body: `{"messages":[]}`, want: channel.Unknown},
		{name: "no add-on configured", off: true, id: "t-1", status: 500, want: channel.Unknown},
		{name: "id that cannot be asked", id: `t" OR "`, status: 500, want: channel.Unknown},
		{name: "add-on missing", id: "t-1", status: 403, body: `{"errors":[{"message":"authorization required"}]}`, want: channel.Unknown, class: channel.Misconfigured},
		{name: "server error", id: "t-1", status: 500, body: "<html>", want: channel.Unknown, class: channel.Transient},
		{name: "not JSON", id: "t-1", status: 200, body: "<html>", want: channel.Unknown, class: channel.Transient},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.URL.Query().Get("query"); r.URL.Path != "/v3/messages" || got != `(unique_args['touch_id']="t-1")` {
					t.Errorf("asked %s %s", r.URL.Path, got)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			client, err := sendgrid.New(sendgrid.Config{APIKey: "k", BaseURL: server.URL, EmailActivity: !c.off})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			receipt, got, err := client.Lookup(t.Context(), c.id)
			if got != c.want || (err != nil) != (c.class != "") || (err != nil && channel.ClassOf(err) != c.class) {
				t.Errorf("got %s, %v", got, err)
			}
			if got == channel.Found && receipt.ProviderID != "abc" {
				t.Errorf("receipt %+v", receipt)
			}
		})
	}
}
