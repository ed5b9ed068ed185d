-- Touchstone schema, version 1. All instants are timestamptz in UTC, money is
-- bigint minor units, ids are UUIDv7 made by the application unless said otherwise.

------------------------------------------------------------------ customers

create table customers (
    id          uuid primary key,
    external_id text not null unique,
    email       text,
    phone       text,
    first_name  text not null default '',
    last_name   text not null default '',
    locale      text not null default '',
    country     text not null default '',
    region      text not null default '',
    postal_code text not null default '',
    time_zone   text not null default '',
    attributes  jsonb not null default '{}',
    created_at  timestamptz not null,
    erased_at   timestamptz
);
create index customers_email on customers (lower(email)) where email is not null;

-- Aggregates behind segments and agents; one row per customer, always.
create table customer_stats (
    customer_id       uuid primary key references customers on delete cascade,
    orders_count      int not null default 0,
    revenue           bigint not null default 0,
    currency          text not null default '',
    first_order_at    timestamptz,
    last_order_at     timestamptz,
    last_item         text not null default '',
    engagement_weight double precision not null default 0,
    engagement_at     timestamptz,
    last_open_at      timestamptz,
    last_click_at     timestamptz,
    touches_count     int not null default 0,
    last_touch_at     timestamptz
);
create index customer_stats_last_order on customer_stats (last_order_at);

create function customers_get_stats() returns trigger language plpgsql as $$
begin
    insert into customer_stats (customer_id) select id from added on conflict do nothing;
    return null;
end $$;
create trigger customers_get_stats after insert on customers
    referencing new table as added for each statement execute function customers_get_stats();

create table consents (
    customer_id uuid not null references customers on delete cascade,
    channel     text not null,
    state       text not null check (state in ('granted', 'withdrawn')),
    at          timestamptz not null,
    source      text not null default '',
    wording     text not null default '',
    ip          text not null default '',
    primary key (customer_id, channel)
);

-- Addresses that must not be written to, as SHA-256 of the lower-cased address:
-- they outlive the customer row and its erasure.
create table suppressions (
    channel      text not null,
    address_hash bytea not null,
    reason       text not null,
    source       text not null default '',
    at           timestamptz not null,
    primary key (channel, address_hash)
);

--------------------------------------------------------------- what happened

-- id is derived from the source's message id, so a repeated event is the same row.
create table events (
    id          uuid not null,
    customer_id uuid not null,
    name        text not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    source      text not null default '',
    properties  jsonb not null default '{}',
    primary key (id, occurred_at)
) partition by range (occurred_at);
create index events_customer on events (customer_id, occurred_at);

create table orders (
    external_id text primary key,
    customer_id uuid not null,
    at          timestamptz not null,
    total       bigint not null,
    currency    text not null,
    items       int not null default 0,
    first_item  text not null default '',
    coupon      text not null default '',
    received_at timestamptz not null
);
create index orders_customer on orders (customer_id, at);
create index orders_at on orders (at);

-- Events that a journey may react to, until they have been routed.
create table event_outbox (
    id          bigint generated always as identity primary key,
    event_id    uuid not null,
    occurred_at timestamptz not null,
    customer_id uuid not null,
    name        text not null,
    attempts    int not null default 0,
    retry_at    timestamptz not null default '-infinity',
    last_error  text not null default ''
);
create index event_outbox_due on event_outbox (retry_at, id);

-- Import progress, so that an interrupted import resumes.
create table imports (
    source_hash text not null,
    kind        text not null,
    lines       bigint not null default 0,
    accepted    bigint not null default 0,
    rejected    bigint not null default 0,
    done        boolean not null default false,
    updated_at  timestamptz not null,
    primary key (source_hash, kind)
);

------------------------------------------------------- what is to be done

create table settings (
    key        text primary key,
    value      jsonb not null,
    updated_at timestamptz not null,
    updated_by text not null default ''
);

create table journeys (
    name       text not null,
    version    int not null,
    source     text not null,
    hash       text not null,
    listens    text[] not null default '{}',
    entry_event text not null default '',
    applied_at timestamptz not null,
    applied_by text not null default '',
    primary key (name, version)
);

-- Pauses and halts: scope is global, journey, campaign or channel.
create table controls (
    scope  text not null check (scope in ('global', 'journey', 'campaign', 'channel')),
    name   text not null,
    state  text not null check (state in ('running', 'paused', 'halted')),
    reason text not null default '',
    by     text not null default '',
    at     timestamptz not null,
    primary key (scope, name)
);

create table campaigns (
    name       text primary key,
    journey    text not null,
    version    int not null,
    segment    text not null,
    ramp       double precision not null default 1 check (ramp > 0 and ramp <= 1),
    holdout    double precision not null check (holdout >= 0 and holdout < 1),
    per_minute int not null default 0,
    every      interval,
    standing   boolean not null default false,
    status     text not null check (status in ('preflight', 'running', 'paused', 'halted', 'done')),
    created_at timestamptz not null,
    created_by text not null default '',
    started_at timestamptz,
    ended_at   timestamptz
);

-- One customer's passage through one journey.
create table journey_runs (
    id              uuid primary key,
    journey         text not null,
    version         int not null,
    customer_id     uuid not null,
    entry_key       text not null default '',
    campaign        text not null default '',
    arm             text not null check (arm in ('treated', 'holdout', 'global_holdout')),
    status          text not null check (status in ('pending', 'running', 'ended')),
    durable         boolean not null default false,
    held            boolean not null default false,
    step            text not null default '',
    step_started_at timestamptz,
    due_at          timestamptz,
    position        int not null default 0,
    entered_at      timestamptz not null,
    entry_event_id  uuid,
    entry           jsonb not null default '{}',
    converted_at    timestamptz,
    ended_at        timestamptz,
    end_reason      text not null default '',
    unique (journey, customer_id, entry_key)
);
create index journey_runs_customer on journey_runs (customer_id);
create index journey_runs_due on journey_runs (campaign, due_at, id) where status = 'pending';
create index journey_runs_held on journey_runs (id) where held;
create index journey_runs_journey on journey_runs (journey, id);

create table creatives (
    id           uuid primary key,
    slot         text not null,
    channel      text not null,
    variant      text not null default '',
    offer_id     text not null default '',
    parts        jsonb not null,
    content_hash text not null,
    source       text not null,
    author       text not null default '',
    status       text not null check (status in ('draft', 'in_review', 'approved', 'rejected', 'retired')),
    approved_by  text not null default '',
    model        text not null default '',
    cost         bigint not null default 0,
    currency     text not null default '',
    created_at   timestamptz not null,
    unique (slot, channel, content_hash)
);
create index creatives_slot on creatives (slot, status);

create table reviews (
    id           uuid primary key,
    workflow_id  text not null unique,
    kind         text not null check (kind in ('creative', 'touch')),
    creative_id  uuid not null,
    content_hash text not null,
    journey      text not null default '',
    campaign     text not null default '',
    reasons      jsonb not null default '[]',
    author       text not null default '',
    status       text not null check (status in ('awaiting', 'approved', 'rejected', 'expired')),
    decided_by   text not null default '',
    note         text not null default '',
    opened_at    timestamptz not null,
    due_at       timestamptz not null,
    escalated_at timestamptz,
    decided_at   timestamptz
);
create index reviews_open on reviews (due_at) where status = 'awaiting';

create table review_waiters (
    review_id uuid not null references reviews on delete cascade,
    run_id    uuid not null,
    touch_id  uuid,
    primary key (review_id, run_id)
);
create index review_waiters_touch on review_waiters (touch_id) where touch_id is not null;

------------------------------------------------------------------ the ledger

-- The only place that says what was sent. key is journey/customer/entry/step:
-- whatever crashes, retries, resets or overlaps, the same touch is the same row.
create table touches (
    id           uuid primary key,
    key          text not null unique,
    run_id       uuid not null,
    customer_id  uuid not null,
    journey      text not null,
    version      int not null,
    campaign     text not null default '',
    step         text not null,
    agent        text not null default '',
    channel      text not null default '',
    class        text not null default 'marketing',
    tags         text[] not null default '{}',
    slot         text not null default '',
    creative_id  uuid,
    content_hash text not null default '',
    offer_id     text not null default '',
    state        text not null,
    reason       text not null default '',
    not_before   timestamptz,
    planned_at   timestamptz not null,
    reserved_at  timestamptz,
    sending_at   timestamptz,
    sent_at      timestamptz,
    settled_at   timestamptz,
    provider_id  text not null default '',
    attempts     int not null default 0,
    caps         jsonb not null default '[]',
    cost         bigint not null default 0,
    currency     text not null default '',
    opened_at    timestamptz,
    clicked_at   timestamptz,
    group_key    text not null default ''
);
create index touches_customer on touches (customer_id, reserved_at) where reserved_at is not null;
create index touches_run on touches (run_id);
create index touches_unsettled on touches (state, sending_at) where state in ('sending', 'unconfirmed');
create index touches_planned on touches (journey, planned_at);
create index touches_provider on touches (provider_id) where provider_id <> '';

-- Every state a touch was ever in, append-only.
create table touch_history (
    touch_id uuid not null,
    at       timestamptz not null,
    seq      bigint generated always as identity,
    state    text not null,
    reason   text not null default '',
    primary key (touch_id, at, seq)
) partition by range (at);

-- Provider events already applied; dedupe_key is ours because providers repeat
-- an event under a new id.
create table provider_events (
    dedupe_key  text primary key,
    touch_id    uuid,
    provider_id text not null default '',
    kind        text not null,
    machine     boolean not null default false,
    suppress    boolean not null default false,
    at          timestamptz not null,
    received_at timestamptz not null default now(),
    detail      text not null default ''
);
create index provider_events_touch on provider_events (touch_id) where touch_id is not null;
create index provider_events_orphans on provider_events (provider_id) where touch_id is null;

-- Response counts behind the agents' expected values, rebuilt from the ledger.
create table response_cells (
    group_key           text not null,
    journey             text not null,
    channel             text not null,
    offer_id            text not null,
    touched             bigint not null default 0,
    touched_conversions bigint not null default 0,
    held                bigint not null default 0,
    held_conversions    bigint not null default 0,
    updated_at          timestamptz not null,
    primary key (group_key, journey, channel, offer_id)
);

-- Which states follow which; the same rules as ledger.MayMove, which a test compares.
create function touch_rank(state text) returns int language sql immutable parallel safe as $$
    select case state when 'sending' then 1 when 'unconfirmed' then 2 when 'refused' then 3 when 'accepted' then 4
        when 'delivered' then 5 when 'bounced' then 6 when 'complained' then 7 end
$$;
create function touch_may_move(was text, becomes text) returns boolean language sql immutable parallel safe as $$
    select case
        when was = becomes then false
        when was = 'sending' and becomes = 'deferred' then true
        when touch_rank(was) is not null then coalesce(touch_rank(becomes) > touch_rank(was), false)
        when was = 'reserved' then becomes in ('sending', 'planned', 'in_review', 'deferred', 'blocked', 'skipped')
        when was in ('planned', 'in_review', 'deferred') then touch_rank(becomes) is null
        else false end
$$;
-- States that count against frequency caps; lifecycle.TouchState.HoldsSlot.
create function touch_holds_slot(state text) returns boolean language sql immutable parallel safe as $$
    select state in ('reserved', 'sending', 'accepted', 'unconfirmed', 'delivered', 'bounced', 'complained')
$$;

-- What a provider's report proves about the touch it is about.
create function outcome_state(kind text) returns text language sql immutable parallel safe as $$
    select case
        when kind in ('processed', 'deferred') then 'accepted'
        when kind in ('delivered', 'opened', 'clicked', 'unsubscribed') then 'delivered'
        when kind in ('bounced', 'blocked', 'dropped') then 'bounced'
        when kind = 'complained' then 'complained' end
$$;

-- What is left of an engagement signal after a time: it halves every 30 days
-- (lifecycle.EngagementHalfLife) and is gone after 60 halvings.
create function engagement_left(since timestamptz, until timestamptz) returns double precision language sql immutable parallel safe as $$
    select case when until - since > interval '1800 days' then 0
        else power(2::double precision, -extract(epoch from until - since)::double precision / 2592000) end
$$;

-- Where a channel reaches a customer; app and web are reached by the id itself.
create function address_of(channel text, email text, phone text, id uuid) returns text language sql immutable parallel safe as $$
    select case when channel = 'email' then email when channel in ('sms', 'whatsapp') then phone else id::text end
$$;
-- Stable, as convert_to is: declared immutable it could not be inlined.
create function address_hash(address text) returns bytea language sql stable parallel safe as $$
    select sha256(convert_to(lower(btrim(address)), 'UTF8'))
$$;

------------------------------------------------------------------ audit trail

create table decision_log (
    seq         bigint not null,
    at          timestamptz not null,
    kind        text not null,
    actor       text not null,
    customer_id uuid,
    run_id      uuid,
    touch_id    uuid,
    subject     text not null default '',
    body        text not null,
    prev_hash   bytea not null,
    hash        bytea not null,
    primary key (seq, at)
) partition by range (at);
create index decision_log_customer on decision_log (customer_id, at) where customer_id is not null;
create index decision_log_kind on decision_log (kind, at);

create table decision_head (
    only_row boolean primary key default true check (only_row),
    seq      bigint not null,
    hash     bytea not null
);
insert into decision_head (seq, hash) values (0, sha256('touchstone'));

-- What an entry's hash covers besides the previous hash: its fields as one JSON
-- array. The instant is given in seconds since 1970.
create function decision_payload(seq bigint, at timestamptz, kind text, actor text, customer_id uuid, run_id uuid,
    touch_id uuid, subject text, body text) returns text language sql stable parallel safe as $$
    select jsonb_build_array(seq, extract(epoch from at)::text, kind, actor, customer_id, run_id, touch_id, subject, body)::text
$$;

-- Appends a JSON array of decision_log rows to the chain. Each hash is SHA-256
-- over the previous hash and the entry's payload. Call it last in a transaction:
-- it holds the head of the chain until commit.
create function append_decisions(batch jsonb) returns bigint language plpgsql as $$
declare
    head  decision_head;
    entry decision_log;
    chain decision_log[] := '{}';
begin
    select * into head from decision_head for update;
    for entry in select * from jsonb_populate_recordset(null::decision_log, batch) loop
        head.seq := head.seq + 1;
        entry.seq := head.seq;
        entry.prev_hash := head.hash;
        entry.hash := sha256(head.hash || convert_to(decision_payload(entry.seq, entry.at, entry.kind, entry.actor,
            entry.customer_id, entry.run_id, entry.touch_id, entry.subject, entry.body), 'UTF8'));
        head.hash := entry.hash;
        chain := chain || entry;
    end loop;
    insert into decision_log select * from unnest(chain);
    update decision_head set seq = head.seq, hash = head.hash;
    return head.seq;
end $$;

create function decision_log_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the decision log is append-only';
end $$;
create trigger decision_log_is_append_only before update or delete on decision_log
    for each row execute function decision_log_is_append_only();
create trigger decision_log_is_not_truncated before truncate on decision_log
    for each statement execute function decision_log_is_append_only();

---------------------------------------------------------------- partitions

-- Makes sure that these tables have a partition for every month from since to until.
-- A partition is made apart and attached, which does not wait for writers.
create function ensure_partitions(parents text[], since timestamptz, until timestamptz) returns void language plpgsql as $$
declare
    parent text;
    month  timestamptz := date_trunc('month', since at time zone 'UTC') at time zone 'UTC';
    after  timestamptz;
    part   text;
begin
    while month <= until loop
        after := (month at time zone 'UTC' + interval '1 month') at time zone 'UTC';
        foreach parent in array parents loop
            part := parent || to_char(month at time zone 'UTC', '_YYYY_MM');
            if to_regclass(part) is null then
                perform pg_advisory_xact_lock(hashtextextended('touchstone/partitions', 0));
                begin
                    execute format('create table %I (like %I including defaults)', part, parent);
                    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, month, after);
                exception when duplicate_table then
                    null; -- whoever held the lock before has made it
                end;
            end if;
        end loop;
        month := after;
    end loop;
end $$;

-- A stable draw in [0,1) for a customer under a salt: the first 52 bits of
-- SHA-256 over salt, a slash and the customer's id. Same as experiment.Bucket.
create function bucket(salt text, customer uuid) returns double precision language sql stable parallel safe as $$
    select ('x' || substr(encode(sha256(convert_to(salt || '/' || customer::text, 'UTF8')), 'hex'), 1, 13))::bit(52)::bigint / 4503599627370496.0::double precision
$$;

-- A version 7 UUID (RFC 9562) for rows made by the database: milliseconds of the
-- real clock, then the random bits and variant of a version 4 one.
create function new_id() returns uuid language sql volatile parallel safe as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- When a touch went out is an expression; without its statistics the planner
-- misjudges reports by period.
create statistics touches_sent on (coalesce(sent_at, sending_at)) from touches;
