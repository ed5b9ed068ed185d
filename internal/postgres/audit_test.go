package postgres_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func records(n int) []ledger.Record {
	list := make([]ledger.Record, n)
	for i := range list {
		list[i] = ledger.Record{At: noon.Add(time.Duration(i) * 20 * day), Kind: "test", Actor: "ann", CustomerID: lifecycle.CustomerID(id()),
			Subject: "ü \"quoted\" \\ ", Body: fmt.Appendf(nil, `{"n": %d, "s": "\u0000 \t ü"}`, i)}
	}
	return list
}

func TestDecisionsAreChained(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var writers sync.WaitGroup
	for range 6 {
		writers.Go(func() {
			for range 5 {
				if err := b.AppendDecisions(t.Context(), records(3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	report, err := b.VerifyDecisions(t.Context())
	if err != nil || !report.OK || report.Entries != 90 {
		t.Fatalf("%+v %v", report, err)
	}
	var out bytes.Buffer
	n, err := b.ExportDecisions(t.Context(), noon.Add(day), &out)
	b.must(err)
	if lines := strings.Count(out.String(), "\n"); n != 60 || lines != 60 {
		t.Errorf("exported %d entries in %d lines", n, lines)
	}
	var first struct {
		Body map[string]any `json:"body"`
		Hash string         `json:"hash"`
	}
	if err := json.NewDecoder(&out).Decode(&first); err != nil || first.Body["n"] == nil || len(first.Hash) != 64 {
		t.Errorf("%+v %v", first, err)
	}
	wantCode(t, b.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Body: []byte("{")}}), lifecycle.Invalid)
}

func TestDecisionsAreAppendOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.AppendDecisions(t.Context(), records(2)))
	for _, sql := range []string{"update decision_log set actor = 'me'", "delete from decision_log", "truncate decision_log"} {
		if _, err := b.raw.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
}

// Somebody with the rights to switch the trigger off is found out.
func TestDecisionsShowTampering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql string
		at        int64
	}{
		{"a changed body", "update decision_log set body = '{}' where seq = 3", 3},
		{"a changed actor", "update decision_log set actor = 'bob' where seq = 4", 4},
		{"a changed customer", "update decision_log set customer_id = null where seq = 1", 1},
		{"a changed instant", "update decision_log set at = at + interval '1 microsecond' where seq = 2", 2},
		{"a changed entry with its hash made to fit", `update decision_log set body = '{}', hash = sha256(prev_hash || convert_to(
			decision_payload(seq, at, kind, actor, customer_id, run_id, touch_id, subject, '{}'), 'UTF8')) where seq = 3`, 4},
		{"a removed entry", "delete from decision_log where seq = 3", 3},
		{"a removed last entry", "delete from decision_log where seq = 6", 6},
		{"an entry twice", "insert into decision_log select seq, at + interval '1 second', kind, actor, customer_id, run_id, touch_id, subject, body, prev_hash, hash from decision_log where seq = 2", 2},
		{"a changed head", "update decision_head set hash = sha256('x')", 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.must(b.AppendDecisions(t.Context(), records(6)))
			b.exec("alter table decision_log disable trigger decision_log_is_append_only")
			for _, part := range []string{"2026_03", "2026_04", "2026_05", "2026_06"} {
				b.exec("alter table decision_log_" + part + " disable trigger decision_log_is_append_only")
			}
			b.exec(c.sql)
			report, err := b.VerifyDecisions(t.Context())
			b.must(err)
			if report.OK || report.BrokenAt != c.at || report.Why == "" {
				t.Errorf("%+v, want broken at %d", report, c.at)
			}
		})
	}
}
