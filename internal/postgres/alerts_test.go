package postgres_test

import (
	"testing"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/watch"
)

func complaints(severity watch.Severity) watch.Condition {
	value, limit := 0.002, 0.001
	return watch.Condition{Key: "breaker/complaints/email", Kind: watch.KindBreaker, Severity: severity, Title: "too many complaints", Detail: "20 of 10000",
		Metric: "complaints", Value: &value, Limit: &limit}
}

// observe tells the store what is wrong at a minute.
func (b bench) observe(minute int, keep bool, conditions ...watch.Condition) (opened, closed int) {
	b.t.Helper()
	o, c, err := b.Observe(b.t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindBreaker}, Conditions: conditions,
		At: noon.Add(time.Duration(minute) * time.Minute), KeepCritical: keep}, []string{"webhook", "email:ops@example.com"})
	b.must(err)
	return len(o), len(c)
}

// occasions lists what targets were told so far, in order.
func (b bench) occasions() (told []string) {
	b.t.Helper()
	rows, err := b.raw.Query(b.t.Context(), "select occasion || ' ' || target from alert_notices order by id")
	b.must(err)
	defer rows.Close()
	for rows.Next() {
		var text string
		b.must(rows.Scan(&text))
		told = append(told, text)
	}
	b.must(rows.Err())
	return told
}

func TestAnAlertIsToldOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for minute := range 5 {
		opened, _ := b.observe(minute, false, complaints(watch.Warning))
		if want := map[bool]int{true: 1}[minute == 0]; opened != want {
			t.Errorf("minute %d: %d opened", minute, opened)
		}
	}
	alerts, err := b.Alerts(t.Context(), false, 10)
	b.must(err)
	if len(alerts) != 1 || !alerts[0].OpenedAt.Equal(noon) || !alerts[0].SeenAt.Equal(noon.Add(4*time.Minute)) || *alerts[0].Limit != 0.001 {
		t.Fatalf("%+v", alerts)
	}
	if told := b.occasions(); len(told) != 2 {
		t.Errorf("told %v", told)
	}
	// Worse: everybody is told again, though somebody had taken it.
	b.must(b.AckAlert(t.Context(), alerts[0].ID, "jane", noon))
	wantCode(t, b.AckAlert(t.Context(), alerts[0].ID, "tom", noon), lifecycle.Conflict)
	if opened, _ := b.observe(5, false, complaints(watch.Critical)); opened != 1 {
		t.Errorf("%d raised", opened)
	}
	raised, _, err := b.FindAlert(t.Context(), string(alerts[0].ID)[28:])
	b.must(err)
	if raised.Severity != watch.Critical || raised.AckedBy != "" {
		t.Errorf("%+v", raised)
	}
	// A halt outlasts its cause.
	if _, closed := b.observe(6, true); closed != 0 {
		t.Errorf("%d closed", closed)
	}
	b.observe(7, true, complaints(watch.Warning))
	if still, _, err := b.FindAlert(t.Context(), string(alerts[0].ID)); err != nil || still.Severity != watch.Critical {
		t.Errorf("%+v %v", still, err)
	}
	if _, closed := b.observe(8, false); closed != 1 {
		t.Errorf("%d closed", closed)
	}
	if _, closed := b.observe(9, false); closed != 0 {
		t.Errorf("%d closed again", closed)
	}
	told := b.occasions()
	want := []string{"opened webhook", "opened email:ops@example.com", "raised webhook", "raised email:ops@example.com", "recovered webhook", "recovered email:ops@example.com"}
	if len(told) != len(want) {
		t.Fatalf("told %v", told)
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("told %v, want %v", told, want)
		}
	}
	// The same thing wrong again is another alert.
	if opened, _ := b.observe(10, false, complaints(watch.Warning)); opened != 1 {
		t.Errorf("%d opened", opened)
	}
	if all, err := b.Alerts(t.Context(), true, 10); err != nil || len(all) != 2 || !all[0].Open() || all[1].Open() {
		t.Errorf("%+v %v", all, err)
	}
}

func TestObserversCloseTheirOwnAlertsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.observe(0, false, complaints(watch.Warning))
	_, closed, err := b.Observe(t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindAnomaly}, At: noon}, nil)
	if err != nil || len(closed) != 0 {
		t.Errorf("%+v %v", closed, err)
	}
	_, _, err = b.Observe(t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindAnomaly}, Conditions: []watch.Condition{complaints(watch.Warning)}, At: noon}, nil)
	wantCode(t, err, lifecycle.Invalid)
}

// Two workers that observe at once must not open two alerts.
func TestObserveConcurrently(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opened := make(chan int)
	for range 6 {
		go func() {
			o, _, err := b.Observe(t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindBreaker}, Conditions: []watch.Condition{complaints(watch.Critical)}, At: noon}, []string{"webhook"})
			if err != nil {
				t.Error(err)
			}
			opened <- len(o)
		}()
	}
	sum := 0
	for range 6 {
		sum += <-opened
	}
	if sum != 1 || len(b.occasions()) != 1 {
		t.Errorf("%d opened, told %v", sum, b.occasions())
	}
}

func TestNoticesAreDeliveredOnceAndRetried(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.observe(0, false, complaints(watch.Critical))
	now := time.Now().Add(time.Second)
	targets := []string{"webhook", "email:ops@example.com"}
	claim := func(after time.Duration, remind time.Duration) []watch.Due {
		due, err := b.ClaimNotices(t.Context(), targets, remind, 10, now.Add(after))
		b.must(err)
		return due
	}
	first := claim(0, 0)
	if len(first) != 2 || first[0].Notice.Alert.Key != "breaker/complaints/email" || first[0].Attempts != 1 || first[0].Notice.ID == first[1].Notice.ID {
		t.Fatalf("%+v", first)
	}
	if again := claim(time.Second, 0); len(again) != 0 {
		t.Errorf("claimed twice: %+v", again)
	}
	b.must(b.SettleNotice(t.Context(), first[0].ID, "", time.Time{}, now))
	b.must(b.SettleNotice(t.Context(), first[1].ID, "service answers 503", now.Add(10*time.Second), now))
	if early := claim(5*time.Second, 0); len(early) != 0 {
		t.Errorf("%+v", early)
	}
	retried := claim(11*time.Second, 0)
	if len(retried) != 1 || retried[0].ID != first[1].ID || retried[0].Attempts != 2 || retried[0].Notice.ID != first[1].Notice.ID {
		t.Fatalf("%+v", retried)
	}
	// Its sender dies: after the lease somebody else has it.
	if stale := claim(11*time.Second+2*time.Minute, 0); len(stale) != 1 || stale[0].Attempts != 3 {
		t.Fatalf("%+v", stale)
	}
	b.must(b.SettleNotice(t.Context(), first[1].ID, "no such channel", time.Time{}, now))
	if over := claim(time.Hour, 0); len(over) != 0 {
		t.Errorf("given up, and yet %+v", over)
	}
	// Nobody acknowledged it: a reminder each, once per interval.
	if reminded := claim(5*time.Hour, 4*time.Hour); len(reminded) != 2 || reminded[0].Notice.Occasion != watch.Reminder {
		t.Errorf("%+v", reminded)
	}
	if reminded := claim(6*time.Hour, 4*time.Hour); len(reminded) != 2 { // the lease of the same two is over
		t.Errorf("%+v", reminded)
	}
	alert, notices, err := b.FindAlert(t.Context(), string(first[0].Notice.Alert.ID))
	b.must(err)
	if len(notices) != 4 || notices[0].DeliveredAt.IsZero() || notices[1].GivenUpAt.IsZero() || notices[1].LastError != "no such channel" {
		t.Errorf("%+v", notices)
	}
	b.must(b.AckAlert(t.Context(), alert.ID, "jane", noon))
	for _, d := range claim(20*time.Hour, 4*time.Hour) {
		b.must(b.SettleNotice(t.Context(), d.ID, "", time.Time{}, now))
	}
	if reminded := claim(40*time.Hour, 4*time.Hour); len(reminded) != 0 {
		t.Errorf("somebody looks after it: %+v", reminded)
	}
	// A target that is no longer configured keeps nobody waiting.
	b.observe(1, false)
	if _, err := b.ClaimNotices(t.Context(), []string{"webhook"}, 0, 10, now.Add(41*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := query[int](b, "select count(*) from alert_notices where target like 'email:%' and delivered_at is null and given_up_at is null"); n != 0 {
		t.Errorf("%d wait for nobody", n)
	}
}

func TestFindAlert(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.FindAlert(t.Context(), "12345678")
	wantCode(t, err, lifecycle.NotFound)
	_, _, err = b.FindAlert(t.Context(), "")
	wantCode(t, err, lifecycle.NotFound)
}
