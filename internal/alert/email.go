package alert

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

// Email sends notices to one operator through the brand's e-mail provider.
type Email struct {
	Provider channel.Provider
	To       string
	From     string
	FromName string
}

// NewEmail returns a target for one address. An address without an @ is Invalid.
func NewEmail(p channel.Provider, to, from, name string) (*Email, error) {
	if local, host, found := strings.Cut(to, "@"); !found || local == "" || host == "" || strings.ContainsAny(to, " \r\n<>") {
		return nil, lifecycle.Errorf(lifecycle.Invalid, "alert e-mail %q: give a plain address such as ops@example.com", to)
	}
	return &Email{Provider: p, To: to, From: from, FromName: name}, nil
}

// Name implements watch.Target.
func (e *Email) Name() string { return "email:" + e.To }

// Notify implements watch.Target. An attempt that may have arrived is repeated:
// a second message does less harm than none.
func (e *Email) Notify(ctx context.Context, n watch.Notice) error {
	// The provider's reports about the message name it like a touch; it is none,
	// so they belong to nobody.
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("touchstone:notice:"+n.ID+"/"+e.To))
	_, err := e.Provider.Send(ctx, lifecycle.Message{
		TouchID: lifecycle.TouchID(id.String()), Channel: lifecycle.Email, Class: lifecycle.Transactional,
		To: e.To, From: e.From, FromName: e.FromName, Subject: n.Subject(), Text: n.Body() + "\n", Categories: []string{"touchstone-alert"},
	})
	var failed *channel.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return lifecycle.Errorf(lifecycle.Unavailable, "send the alert by e-mail: %w", err)
	case failed.Class == channel.Refused || failed.Class == channel.Misconfigured:
		return err
	}
	return lifecycle.Errorf(lifecycle.Unavailable, "send the alert by e-mail: %w", err)
}
