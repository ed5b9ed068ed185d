package ingest_test

import (
	"slices"
	"testing"
	"time"

	"touchstone/internal/ingest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

const touchHeader = "external_id,at,journey,campaign,arm,entry,step,agent,channel,class,offer,cost,currency,state,opened_at,clicked_at\n"

func TestTouchesAreReadAndRefused(t *testing.T) {
	t.Parallel()
	rows := "1,2025-05-01T10:00:00Z,spring,may,treated,,,shop,email,,ten,0.02,,,2025-05-01T11:00:00Z,2025-05-02\n" +
		"2,2025-05-01T10:00:00Z,spring,may,holdout,,,,,,,,,,,\n" +
		"3,2025-05-01T10:00:00Z,spring,,,,,,sms,transactional,,,,bounced,,\n" +
		",2025-05-01,spring,,,,,,email,,,,,,,\n" +
		"4,2025-05-01,,,,,,,email,,,,,,,\n" +
		"5,2025-05-01,spring,,control,,,,email,,,,,,,\n" +
		"6,2025-05-01,spring,,,,,,,,,,,,,\n" +
		"7,2025-05-01,spring,,,,,,fax,,,,,,,\n" +
		"8,2025-05-01,a/b,,,,,,email,,,,,,,\n" +
		"9,2025-05-02,spring,,,,,,email,,,,,,2025-05-01,\n" +
		"10,2025-05-01,spring,,,,,,email,,,-1,,,,\n" +
		"11,2025-05-01,spring,,,,,,email,,,1,USD,,,\n" +
		"12,2025-05-01,spring,,,,,,email,,,,,lost,,\n" +
		"13,2025-05-01,spring,,holdout,,,,,,,,,delivered,,\n" +
		"14,2099-05-01,spring,,,,,,email,,,,,,,\n" +
		"15,2025-05-01,spring,,,,,,email,promo,,,,,,\n"
	m := newMemory()
	s, refused := run(t, m, ingest.Touches, touchHeader+rows)
	want := []string{
		"5: external_id is missing", "6: journey is missing", "7: arm is not an arm: use treated, holdout or global_holdout", "8: channel is missing",
		"9: channel is not a channel: use one of [email sms whatsapp push web]", "10: journey contains a slash or a line break",
		"11: opened_at lies before the touch was sent", "12: cost is negative", "13: currency is not the brand's currency GBP",
		"14: state is not what becomes of a touch: use accepted, delivered, bounced or complained",
		"15: state is given for somebody held out, who got nothing", "16: at lies more than a day in the future",
		"17: class is not a message class: use marketing, transactional or reply",
	}
	if !slices.Equal(refused, want) {
		t.Errorf("refused\n%q, want\n%q", refused, want)
	}
	if s.Rejected != 13 || s.Created != 3 {
		t.Errorf("%+v", s)
	}
	var got []postgres.BulkTouch
	for _, b := range m.batches {
		got = append(got, b.Touches...)
	}
	if len(got) != 3 {
		t.Fatalf("%d touches", len(got))
	}
	first, held, third := got[0], got[1], got[2]
	at := time.Date(2025, 5, 1, 10, 0, 0, 0, time.UTC)
	if first.Arm != ledger.Treated || first.Entry != "may" || first.Touch.Cost.Amount != 2 || first.Touch.Class != lifecycle.Marketing || first.Touch.OfferID != "ten" ||
		first.Touch.State != lifecycle.TouchDelivered || !first.Opened.Equal(at.Add(time.Hour)) || first.Touch.CustomerID == "" {
		t.Errorf("first: %+v", first)
	}
	if held.Arm != ledger.Holdout || held.Touch.Channel != "" || held.Entry != "may" {
		t.Errorf("held out: %+v", held)
	}
	if third.Touch.State != lifecycle.TouchBounced || third.Touch.Class != lifecycle.Transactional || third.Entry == "" || third.Touch.Step == "" {
		t.Errorf("third: %+v", third)
	}
}

func TestTouchesIntoPostgres(t *testing.T) {
	t.Parallel()
	s, url := realStore(t)
	text := touchHeader +
		"1,2024-05-01T10:00:00Z,spring,may,treated,,,,email,,,,,,,\n" +
		"1,2024-05-04T10:00:00Z,spring,may,treated,,,,email,,,,,,,\n" +
		"2,2024-05-01T10:00:00Z,spring,may,holdout,,,,,,,,,,,\n" +
		"2,2024-05-04T10:00:00Z,spring,may,treated,,,,email,,,,,,,\n"
	small := func(o *ingest.Options) { o.BatchSize = 1 }
	if sum := importInto(t, s, ingest.Touches, text, small); sum.Accepted != 3 || sum.Rejected != 1 || sum.Created != 2 {
		t.Errorf("touches: %+v", sum)
	}
	if sum := importInto(t, s, ingest.Touches, text); sum.Done || sum.Accepted != 0 || sum.Present != 3 || sum.Rejected != 1 {
		t.Errorf("again, all at once: %+v", sum)
	}
	var runs, touches, held int
	scan(t, url, "select count(*), count(*) filter (where arm = 'holdout') from journey_runs where status = 'ended'", &runs, &held)
	scan(t, url, "select count(*) from touches where state = 'delivered'", &touches)
	if runs != 2 || held != 1 || touches != 2 {
		t.Errorf("%d runs, %d held out, %d touches", runs, held, touches)
	}
}
