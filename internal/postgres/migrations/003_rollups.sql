-- Hourly sums behind the key figures, what makes them exact, and the views for
-- analysts. See docs/analytics.md.

------------------------------------------------------------ what has changed

-- The transaction that wrote a row. Everything that a round of sums has not seen
-- was written by a transaction at or after the oldest one that was running then:
-- comparing with that one misses nothing, however late the commit. Rows from
-- before this migration have 0; the first round sums everything. Rows are
-- appended in this order, so that a BRIN index finds the latest ones.
alter table touch_history add column tx bigint not null default 0;
alter table touch_history alter column tx set default pg_current_xact_id()::text::bigint;
alter table provider_events add column tx bigint not null default 0;
alter table provider_events alter column tx set default pg_current_xact_id()::text::bigint;
alter table orders add column tx bigint not null default 0;
alter table orders alter column tx set default pg_current_xact_id()::text::bigint;
create index touch_history_tx on touch_history using brin (tx) with (pages_per_range = 32, autosummarize = on);
create index provider_events_tx on provider_events using brin (tx) with (pages_per_range = 32, autosummarize = on);
create index orders_tx on orders using brin (tx) with (pages_per_range = 32, autosummarize = on);

-- Partitions made from now on copy the column's default; those that exist need it.
do $$
declare part regclass;
begin
    for part in select inhrelid::regclass from pg_inherits where inhparent = 'touch_history'::regclass loop
        execute format('alter table %s alter column tx set default pg_current_xact_id()::text::bigint', part);
    end loop;
end $$;

-- Touches that changed without a row in one of these tables.
create table rollup_marks (touch_id uuid not null);
create function mark_touch() returns trigger language plpgsql as $$
begin
    insert into rollup_marks values (new.id);
    return null;
end $$;
create trigger touches_mark after update on touches for each row
    when (new.state = old.state and (new.cost, new.currency, new.sent_at, new.sending_at)
        is distinct from (old.cost, old.currency, old.sent_at, old.sending_at))
    execute function mark_touch();
create function mark_adopted() returns trigger language plpgsql as $$
begin
    insert into rollup_marks select id from unnest(array[old.touch_id, new.touch_id]) id where id is not null;
    return null;
end $$;
create trigger provider_events_mark after update of touch_id on provider_events for each row
    when (new.touch_id is distinct from old.touch_id) execute function mark_adopted();

--------------------------------------------------------------------- indexes

-- When a touch went out or was tried, else when it was planned.
create index touches_at on touches using brin (coalesce(sent_at, sending_at, planned_at)) with (autosummarize = on);
create statistics touches_at on (coalesce(sent_at, sending_at, planned_at)) from touches;
create index provider_events_lost on provider_events (touch_id, kind, at) where kind in ('bounced', 'complained', 'unsubscribed');
create index touch_history_reviewed on touch_history (touch_id) where state = 'in_review';

------------------------------------------------------------------------ sums

create function hour_of(at timestamptz) returns timestamptz language sql immutable parallel safe as $$
    select date_bin('1 hour', at, '2000-01-01 00:00:00+00')
$$;
create function day_of(at timestamptz) returns timestamptz language sql immutable parallel safe as $$
    select date_bin('1 day', at, '2000-01-01 00:00:00+00')
$$;
-- One of 32 random groups of customers (measure.Blocks), by the last bits of the
-- id, which are random in UUIDs of versions 4, 5 and 7.
create function customer_block(id uuid) returns int language sql immutable parallel safe as $$
    select get_byte(uuid_send(id), 15) & 31
$$;

-- How far the sums go.
create table rollup_state (
    only_row    boolean primary key default true check (only_row),
    horizon     bigint not null, -- the oldest transaction that the last round may not have seen
    as_of       timestamptz not null, -- business instant of the last round
    rolled_at   timestamptz not null, -- real instant of it
    revision    bigint not null, -- counts rounds that changed something
    attribution interval not null,
    currency    text not null
);

-- Touches by the hour in which they went out or were tried, else were planned. Responses count in the
-- hour of their touch, whenever they come.
create table rollup_touches (
    hour         timestamptz not null,
    journey      text not null,
    campaign     text not null,
    agent        text not null,
    channel      text not null,
    class        text not null,
    touches      int not null,
    planned      int not null,
    in_review    int not null,
    deferred     int not null,
    skipped      int not null,
    blocked      int not null,
    rejected     int not null,
    refused      int not null,
    sent         int not null,
    unconfirmed  int not null, -- of the sent, as are all below
    delivered    int not null, -- complained included
    bounced      int not null,
    hard_bounced int not null,
    complained   int not null,
    unsubscribed int not null,
    opened       int not null, -- by people
    clicked      int not null, -- by people
    reviewed     int not null, -- of all: waited for a person at some time
    cost         bigint not null, -- of sending, minor units
    primary key (hour, journey, campaign, agent, channel, class)
);

-- Marketing touches sent, by day and block of customers.
create table rollup_blocks (
    day      timestamptz not null,
    block    int not null,
    journey  text not null,
    campaign text not null,
    channel  text not null,
    touches  int not null,
    cost     bigint not null,
    primary key (day, block, journey, campaign, channel)
);

-- All orders in the brand's currency.
create table rollup_orders (
    hour     timestamptz not null,
    block    int not null,
    orders   int not null,
    value    bigint not null, -- of orders, minor units
    refunds  int not null,
    refunded bigint not null, -- of refunds, negative
    primary key (hour, block)
);

-- Last-touch credit of orders and refunds: by the hour of the order, the hour of
-- the touch, and what the touch was.
create table rollup_credits (
    hour         timestamptz not null,
    touched_hour timestamptz not null,
    block        int not null,
    journey      text not null,
    campaign     text not null,
    agent        text not null,
    channel      text not null,
    orders       int not null,
    conversions  int not null, -- touches that have their first order in this hour
    value        bigint not null, -- of orders, minor units
    revenue      bigint not null, -- net of refunds
    primary key (hour, touched_hour, block, journey, campaign, agent, channel)
);

-- What the key figures of a period are worked out from, kept until the hourly
-- sums change.
create table kpi_sums (
    since    timestamptz not null,
    until    timestamptz not null,
    channel  text not null,
    journey  text not null,
    campaign text not null,
    revision bigint not null,
    sums     jsonb not null,
    primary key (since, until, channel, journey, campaign)
);

-- Since when a customer must not be written to on a channel; an empty channel is
-- every one.
create view forbidden as
select c.customer_id, c.channel, c.at, 'consent withdrawn' as why from consents c where c.state = 'withdrawn'
union all
select c.id, s.channel, s.at, 'address suppressed'
from customers c cross join lateral (values ('email', c.email), ('sms', c.phone), ('whatsapp', c.phone),
    ('push', c.id::text), ('web', c.id::text)) a (channel, address)
join suppressions s on s.channel = a.channel and s.address_hash = address_hash(a.address)
union all
select c.id, '', c.erased_at, 'customer erased' from customers c where c.erased_at is not null;

----------------------------------------------------------- views for analysts

-- No view shows personal data: customers appear by our id only, reasons by their
-- rule, people who decide not at all.

create view report_touches as
select t.id as touch_id, t.run_id, t.customer_id, t.journey, t.version, t.campaign, t.step, t.agent, t.channel, t.class,
    t.slot, t.creative_id, t.offer_id, t.group_key as stage, t.state, split_part(t.reason, ':', 1) as reason,
    t.planned_at, coalesce(t.sent_at, t.sending_at, t.planned_at) as at,
    touch_holds_slot(t.state) and t.state <> 'reserved' as sent,
    t.state in ('delivered', 'complained') as delivered,
    t.state = 'bounced' as bounced,
    t.state = 'bounced' and exists (
        select from provider_events e where e.touch_id = t.id and e.kind = 'bounced') as hard_bounced,
    t.state = 'complained' as complained,
    exists (select from provider_events e where e.touch_id = t.id and e.kind = 'unsubscribed') as unsubscribed,
    t.state in ('delivered', 'complained') and t.opened_at is not null as opened,
    t.state in ('delivered', 'complained') and t.clicked_at is not null as clicked,
    exists (select from touch_history h where h.touch_id = t.id and h.state = 'in_review') as reviewed,
    t.cost, t.currency
from touches t;

-- Touches by the hour in which they went out, were tried or planned; orders and
-- revenue by the hour of the order.
create view report_hourly as
select c.hour, c.journey, c.campaign, c.agent, c.channel, c.class,
    sum(c.touches)::bigint as touches, sum(c.planned)::bigint as planned, sum(c.in_review)::bigint as in_review,
    sum(c.deferred)::bigint as deferred, sum(c.skipped)::bigint as skipped, sum(c.blocked)::bigint as blocked,
    sum(c.rejected)::bigint as rejected, sum(c.refused)::bigint as refused, sum(c.sent)::bigint as sent,
    sum(c.unconfirmed)::bigint as unconfirmed, sum(c.delivered)::bigint as delivered,
    sum(c.bounced)::bigint as bounced, sum(c.hard_bounced)::bigint as hard_bounced,
    sum(c.complained)::bigint as complained, sum(c.unsubscribed)::bigint as unsubscribed,
    sum(c.opened)::bigint as opened, sum(c.clicked)::bigint as clicked, sum(c.reviewed)::bigint as reviewed,
    sum(c.cost)::bigint as cost, sum(c.orders)::bigint as orders, sum(c.conversions)::bigint as conversions,
    sum(c.value)::bigint as order_value, sum(c.revenue)::bigint as revenue
from (
    select t.*, 0 as orders, 0 as conversions, 0::bigint as value, 0::bigint as revenue from rollup_touches t
    union all
    select r.hour, r.journey, r.campaign, r.agent, r.channel, 'marketing', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        r.orders, r.conversions, r.value, r.revenue
    from rollup_credits r
) c
group by 1, 2, 3, 4, 5, 6;

create view report_daily as
select day_of(h.hour) as day, h.journey, h.campaign, h.agent, h.channel, h.class,
    sum(h.touches)::bigint as touches, sum(h.planned)::bigint as planned, sum(h.in_review)::bigint as in_review,
    sum(h.deferred)::bigint as deferred, sum(h.skipped)::bigint as skipped, sum(h.blocked)::bigint as blocked,
    sum(h.rejected)::bigint as rejected, sum(h.refused)::bigint as refused, sum(h.sent)::bigint as sent,
    sum(h.unconfirmed)::bigint as unconfirmed, sum(h.delivered)::bigint as delivered,
    sum(h.bounced)::bigint as bounced, sum(h.hard_bounced)::bigint as hard_bounced,
    sum(h.complained)::bigint as complained, sum(h.unsubscribed)::bigint as unsubscribed,
    sum(h.opened)::bigint as opened, sum(h.clicked)::bigint as clicked, sum(h.reviewed)::bigint as reviewed,
    sum(h.cost)::bigint as cost, sum(h.orders)::bigint as orders, sum(h.conversions)::bigint as conversions,
    sum(h.order_value)::bigint as order_value, sum(h.revenue)::bigint as revenue
from report_hourly h
group by 1, 2, 3, 4, 5, 6;

create view report_orders as
select o.external_id as order_id, o.customer_id, o.at, o.total, o.currency, o.items, o.coupon <> '' as with_coupon
from orders o;

-- Everybody who ever entered a journey, in the arm of the very first run.
create view report_holdout as
select f.customer_id, f.arm, f.arm = 'global_holdout' as held_out, f.entered_at, f.journey, f.campaign,
    coalesce(o.orders, 0) as orders, coalesce(o.revenue, 0) as revenue, s.currency
from (
    select distinct on (r.customer_id) r.customer_id, r.arm, r.entered_at, r.journey, r.campaign
    from journey_runs r order by r.customer_id, r.entered_at, r.id
) f
cross join rollup_state s
left join lateral (
    select count(*) filter (where o.total > 0) as orders, sum(o.total) as revenue
    from orders o where o.customer_id = f.customer_id and o.at > f.entered_at and o.currency = s.currency
) o on true;

create view report_runs as
select r.id as run_id, r.journey, r.version, r.customer_id, r.campaign, r.arm, r.status, r.entered_at, r.converted_at,
    r.ended_at, split_part(r.end_reason, ':', 1) as end_reason
from journey_runs r;

create view report_reviews as
select r.id as review_id, r.kind, r.creative_id, c.source as creative_source, c.channel, r.journey, r.campaign, r.status,
    r.decided_by <> '' as by_person, r.opened_at, r.due_at, r.decided_at,
    extract(epoch from r.decided_at - r.opened_at)::double precision as seconds, r.decided_at <= r.due_at as in_time
from reviews r left join creatives c on c.id = r.creative_id;

create view report_decisions as
select d.seq, d.at, d.kind, split_part(d.actor, '/', 1) in ('agent', 'engine') as by_machine,
    case when split_part(d.actor, '/', 1) = 'agent' then split_part(d.actor, '/', 2) else '' end as agent,
    d.customer_id, d.run_id, d.touch_id
from decision_log d;
