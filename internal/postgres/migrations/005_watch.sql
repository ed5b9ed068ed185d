-- What the watch needs: alerts and their notices, compliance violations, when we
-- learnt of opt-outs, and service levels. Instants of alerts and violations are
-- business time, like the rows they are about; notices and service levels are
-- real time, because people and machines are not scaled.

-- What happened lately. The history is append-only: a BRIN index finds its latest
-- rows at next to no cost per row.
create index touch_history_at on touch_history using brin (at) with (pages_per_range = 32, autosummarize = on);
create index provider_events_harm on provider_events (at)
    where kind in ('bounced', 'blocked', 'dropped', 'complained', 'unsubscribed');

------------------------------------------------------------------ alerts

create table alerts (
    id         uuid primary key,
    key        text not null, -- what is wrong, such as breaker/complaints: one open alert each
    kind       text not null,
    severity   text not null check (severity in ('warning', 'critical')),
    title      text not null,
    detail     text not null default '',
    metric     text not null default '',
    value      double precision,
    expected   double precision,
    allowed    double precision,
    opened_at  timestamptz not null,
    seen_at    timestamptz not null,
    closed_at  timestamptz,
    acked_at   timestamptz,
    acked_by   text not null default ''
);
create unique index alerts_open on alerts (key) where closed_at is null;
create index alerts_recent on alerts (opened_at, id);

-- Messages to people about alerts: one row per alert, occasion and target, kept
-- until it is delivered.
create table alert_notices (
    id           bigint generated always as identity primary key,
    alert_id     uuid not null references alerts,
    occasion     text not null check (occasion in ('opened', 'raised', 'reminder', 'recovered')),
    target       text not null,
    made_at      timestamptz not null,
    attempts     int not null default 0,
    retry_at     timestamptz not null,
    delivered_at timestamptz,
    given_up_at  timestamptz,
    last_error   text not null default ''
);
create index alert_notices_due on alert_notices (retry_at, id) where delivered_at is null and given_up_at is null;
create index alert_notices_alert on alert_notices (alert_id, id);

-------------------------------------------------------------- compliance

-- Touches that should not have gone out. A violation is found once.
create table violations (
    touch_id uuid not null,
    rule     text not null,
    at       timestamptz not null, -- when the touch went out
    found_at timestamptz not null,
    detail   text not null default '',
    primary key (touch_id, rule)
);
create index violations_found on violations (found_at);

-- When we learnt that somebody wants no messages, by the real clock: a report may
-- arrive hours after the fact, and until then we could not know.
create table opt_outs (
    channel      text not null,
    customer_id  uuid,  -- of a withdrawn consent
    address_hash bytea, -- of a suppression
    at           timestamptz not null,
    learnt_at    timestamptz not null,
    check ((customer_id is null) <> (address_hash is null))
);
create index opt_outs_customer on opt_outs (customer_id, channel) where customer_id is not null;
create index opt_outs_address on opt_outs (address_hash, channel) where address_hash is not null;

create function consent_withdrawn() returns trigger language plpgsql as $$
begin
    insert into opt_outs (channel, customer_id, at, learnt_at) values (new.channel, new.customer_id, new.at, clock_timestamp());
    return null;
end $$;
create trigger consent_given_up after insert on consents
    for each row when (new.state = 'withdrawn') execute function consent_withdrawn();
create trigger consent_taken_back after update of state on consents
    for each row when (new.state = 'withdrawn' and old.state <> 'withdrawn') execute function consent_withdrawn();

create function address_suppressed() returns trigger language plpgsql as $$
begin
    insert into opt_outs (channel, address_hash, at, learnt_at) values (new.channel, new.address_hash, new.at, clock_timestamp());
    return null;
end $$;
create trigger address_suppressed after insert on suppressions
    for each row execute function address_suppressed();

-- What stands in the tables already was learnt when it happened, as far as we know.
insert into opt_outs (channel, customer_id, at, learnt_at) select channel, customer_id, at, at from consents where state = 'withdrawn';
insert into opt_outs (channel, address_hash, at, learnt_at) select channel, address_hash, at, at from suppressions;

---------------------------------------------------------- service levels

-- Whether a part of the system worked, by the minute. A minute without a row is
-- one in which nobody was there to look.
create table heartbeats (
    component text not null,
    minute    timestamptz not null,
    up        boolean not null,
    primary key (component, minute)
);

-- How long things took, as counts per hour in buckets of watch.Bucket.
create table latencies (
    what   text not null,
    hour   timestamptz not null,
    bucket smallint not null,
    n      bigint not null,
    primary key (what, hour, bucket)
);
