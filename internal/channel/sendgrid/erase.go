package sendgrid

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/sendgrid/rest"
	vendor "github.com/sendgrid/sendgrid-go"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

var _ channel.Eraser = (*Client)(nil)

// Erase asks SendGrid to delete what it keeps about a recipient, by the Recipients'
// Data Erasure API (POST /v3/recipients/erasejob). The API must be enabled for the
// account, and the key needs the scope recipients.erasejob.create; without, the
// error is misconfigured. The request is the same whenever it is repeated, so an
// answer that got lost is transient.
func (c *Client) Erase(ctx context.Context, address string) (job string, err error) {
	body, err := json.Marshal(map[string][]string{"email_addresses": {address}})
	if err != nil {
		return "", lifecycle.Errorf(lifecycle.Internal, "encode an erasure: %w", err)
	}
	req := vendor.GetRequest(c.key, "/v3/recipients/erasejob", c.host)
	req.Method, req.Body = rest.Post, body
	res, err := c.rest.SendWithContext(ctx, req)
	if res == nil {
		return "", &channel.Error{Class: channel.Transient, Err: withoutURL(err)}
	}
	if res.StatusCode != http.StatusAccepted {
		failed := classify(res, c.now())
		if failed.Class == channel.Unconfirmed {
			failed.Class = channel.Transient
		}
		return "", failed
	}
	var answer struct {
		JobID string `json:"job_id"`
	}
	if json.Unmarshal([]byte(res.Body), &answer) != nil || answer.JobID == "" {
		answer.JobID = "without a name" // accepted all the same
	}
	return answer.JobID, nil
}
