package sendgrid

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sendgrid/rest"
	vendor "github.com/sendgrid/sendgrid-go"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

// Lookup searches the Email Activity feed for the touch id. It answers Found
// or Unknown, never NotFound: the feed lags by minutes, forgets after days and
// is an add-on (see Config.EmailActivity); without it the answer is Unknown at
// once and reconciliation waits for the event webhook.
func (c *Client) Lookup(ctx context.Context, id lifecycle.TouchID) (channel.Receipt, channel.Presence, error) {
	if err := ctx.Err(); err != nil {
		return channel.Receipt{}, channel.Unknown, &channel.Error{Class: channel.Transient, Err: err}
	}
	if !c.activity || id == "" || strings.ContainsAny(string(id), `"'\()`) {
		return channel.Receipt{}, channel.Unknown, nil
	}
	req := vendor.GetRequest(c.key, "/v3/messages", c.host)
	req.Method = rest.Get
	req.QueryParams = map[string]string{"limit": "1", "query": `(unique_args['` + touchArg + `']="` + string(id) + `")`}
	res, err := c.rest.SendWithContext(ctx, req)
	if err != nil {
		return channel.Receipt{}, channel.Unknown, &channel.Error{Class: channel.Transient, Err: withoutURL(err)}
	}
	if res.StatusCode != http.StatusOK {
		e := classify(res, c.now())
		if e.Class == channel.Unconfirmed { // asking changes nothing and may be repeated
			e.Class = channel.Transient
		}
		return channel.Receipt{}, channel.Unknown, e
	}
	var answer struct {
		Messages []struct {
			ID string `json:"msg_id"`
		} `json:"messages"`
	}
	if err := json.Unmarshal([]byte(res.Body), &answer); err != nil {
		return channel.Receipt{}, channel.Unknown, &channel.Error{Class: channel.Transient, Status: res.StatusCode, Detail: "answer of the activity feed is not JSON", Err: err}
	}
	if len(answer.Messages) == 0 {
		return channel.Receipt{}, channel.Unknown, nil
	}
	providerID, _, _ := strings.Cut(answer.Messages[0].ID, ".")
	return channel.Receipt{ProviderID: providerID}, channel.Found, nil
}
