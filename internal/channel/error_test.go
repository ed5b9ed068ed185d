package channel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"touchstone/internal/channel"
	"touchstone/internal/lifecycle"
)

func TestErrorClassesMapToDomainCodes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		err  *channel.Error
		want lifecycle.Code
	}{
		{&channel.Error{Class: channel.Refused}, lifecycle.Invalid},
		{&channel.Error{Class: channel.Transient}, lifecycle.Unavailable},
		{&channel.Error{Class: channel.Transient, RetryAfter: time.Second}, lifecycle.RateLimited},
		{&channel.Error{Class: channel.Unconfirmed}, lifecycle.Unconfirmed},
		{&channel.Error{Class: channel.Misconfigured}, lifecycle.Forbidden},
	}
	for _, c := range cases {
		wrapped := fmt.Errorf("deliver: %w", c.err)
		if got := lifecycle.CodeOf(wrapped); got != c.want {
			t.Errorf("CodeOf(%v) = %q, want %q", c.err.Class, got, c.want)
		}
		if got := channel.ClassOf(wrapped); got != c.err.Class {
			t.Errorf("ClassOf(%v) = %q", c.err.Class, got)
		}
	}
}

func TestUnclassifiedErrorCountsAsPerhapsSent(t *testing.T) {
	t.Parallel()
	if got := channel.ClassOf(errors.New("connection reset")); got != channel.Unconfirmed {
		t.Errorf("ClassOf = %q, want unconfirmed", got)
	}
}

func TestErrorKeepsCauseAndSaysWhatHappened(t *testing.T) {
	t.Parallel()
	err := error(&channel.Error{Class: channel.Unconfirmed, Status: 502, Detail: "bad gateway", Err: context.DeadlineExceeded})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("cause lost")
	}
	want := "provider may have taken the message, do not repeat it (status 502): bad gateway: context deadline exceeded"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err.Error(), want)
	}
}
