-- Sums behind the key figures (measure.Sums): first those that are read from the
-- hourly sums, then those that need distinct customers, then those of small
-- tables. An empty channel, journey or campaign means all.

-- name: KPITouches :many
select t.channel, sum(t.touches)::bigint as touches, sum(t.skipped)::bigint as skipped, sum(t.blocked)::bigint as blocked,
    sum(t.sent)::bigint as sent, sum(t.delivered)::bigint as delivered, sum(t.hard_bounced)::bigint as hard_bounced,
    sum(t.complained)::bigint as complained, sum(t.unsubscribed)::bigint as unsubscribed,
    sum(t.opened)::bigint as opened, sum(t.clicked)::bigint as clicked, sum(t.reviewed)::bigint as reviewed,
    sum(t.cost)::bigint as cost
from rollup_touches t
where t.hour >= @since::timestamptz and t.hour < @until::timestamptz and t.class = 'marketing'
and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
and (@campaign::text = '' or t.campaign = @campaign::text)
group by t.channel order by t.channel;

-- name: KPIPeak :one
-- The most touches that went out in one hour.
select coalesce(max(h.sent), 0)::bigint as peak from (
    select sum(t.sent) as sent from rollup_touches t
    where t.hour >= @since::timestamptz and t.hour < @until::timestamptz
    and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
    and (@campaign::text = '' or t.campaign = @campaign::text)
    group by t.hour) h;

-- name: KPIBlocks :many
-- Touches by block of customers, on all days that the period touches.
select b.channel, b.block, sum(b.touches)::bigint as touches, sum(b.cost)::bigint as cost
from rollup_blocks b
where b.day >= day_of(@since::timestamptz) and b.day < @until::timestamptz
and (@channel::text = '' or b.channel = @channel::text) and (@journey::text = '' or b.journey = @journey::text)
and (@campaign::text = '' or b.campaign = @campaign::text)
group by b.channel, b.block order by b.channel, b.block;

-- name: KPICredits :many
-- Orders of the period for touches of the period.
select c.channel, c.block, sum(c.orders)::bigint as orders, sum(c.conversions)::bigint as conversions,
    sum(c.value)::bigint as value, sum(c.revenue)::bigint as revenue
from rollup_credits c
where c.hour >= @since::timestamptz and c.hour < @until::timestamptz and c.touched_hour >= @since::timestamptz
and (@channel::text = '' or c.channel = @channel::text) and (@journey::text = '' or c.journey = @journey::text)
and (@campaign::text = '' or c.campaign = @campaign::text)
group by c.channel, c.block order by c.channel, c.block;

-- name: KPIOrders :many
select o.block, sum(o.orders)::bigint as orders, sum(o.value)::bigint as value
from rollup_orders o where o.hour >= @since::timestamptz and o.hour < @until::timestamptz
group by o.block order by o.block;

------------------------------------------------------------ distinct customers

-- name: KPICustomers :one
-- Buyers of the twelve months before until, and of the twelve before those.
with bought as (
    select o.customer_id, count(*) filter (where o.total > 0 and o.at >= @year::timestamptz) as orders,
        coalesce(sum(o.total) filter (where o.at >= @year::timestamptz), 0) as revenue,
        coalesce(bool_or(o.total > 0 and o.at < @year::timestamptz), false) as before
    from orders o
    where o.at >= @two_years::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text
    group by o.customer_id
)
select count(*) filter (where b.orders > 0)::int as buyers, count(*) filter (where b.orders > 1)::int as repeated,
    coalesce(sum(b.revenue) filter (where b.orders > 0), 0)::double precision as revenue,
    coalesce(sum(b.revenue * b.revenue) filter (where b.orders > 0), 0)::double precision as revenue_squares,
    count(*) filter (where b.before)::int as active_before,
    count(*) filter (where b.before and b.orders > 0)::int as retained,
    (select coalesce(min(o.at), @until::timestamptz) from orders o)::timestamptz as first_order
from bought b;

-- name: KPIEmailed :one
select count(*)::int as touches, count(distinct t.customer_id)::int as customers
from touches t
where t.class = 'marketing' and t.channel = 'email' and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
and coalesce(t.sent_at, t.sending_at, t.planned_at) < @until::timestamptz
and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
and (@campaign::text = '' or t.campaign = @campaign::text);

-- name: KPIWinBack :one
-- Customers who were written to while lapsed, and those of them who ordered
-- within the attribution window of such a touch.
with lapsed as (
    select t.customer_id, coalesce(t.sent_at, t.sending_at) as at from touches t
    where t.class = 'marketing' and t.group_key = 'lapsed' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
    and coalesce(t.sent_at, t.sending_at, t.planned_at) < @until::timestamptz
    and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
    and (@campaign::text = '' or t.campaign = @campaign::text)
)
select (select count(distinct l.customer_id) from lapsed l)::int as customers,
    (select count(distinct l.customer_id) from lapsed l join orders o on o.customer_id = l.customer_id
        and o.total > 0 and o.currency = @currency::text and o.at > l.at and o.at <= l.at + @attribution::interval
        and o.at < @until::timestamptz)::int as converted;

-- name: KPITested :one
-- Of those campaigns (KPICampaigns), the ones that sent more than one creative for
-- the same slot, channel and offer.
select count(distinct v.campaign)::int as tested from (
    select t.campaign from touches t
    join campaigns c on c.name = t.campaign and c.journey = t.journey
    where t.campaign <> '' and c.started_at is not null and c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
    and (@journey::text = '' or c.journey = @journey::text) and (@campaign::text = '' or c.name = @campaign::text)
    and touch_holds_slot(t.state) and t.state <> 'reserved' and t.creative_id is not null
    group by t.campaign, t.slot, t.channel, t.offer_id
    having min(t.creative_id::text) <> max(t.creative_id::text)
) v;

-- name: KPICoverage :one
select (select count(*) from customers c where c.erased_at is null)::int as customers,
    (select count(distinct r.customer_id) from journey_runs r join customers c on c.id = r.customer_id
        where c.erased_at is null and r.arm = 'treated' and r.entered_at < @until::timestamptz)::int as treated;

-- name: KPIList :one
-- Customers who can be written to by e-mail, and those who were lost in the
-- period: consent withdrawn, address dead, or a complaint. Erasures are no decay.
with lost as (
    select c.customer_id from consents c
    where c.channel = 'email' and c.state = 'withdrawn' and c.source <> 'erasure'
    and c.at >= @since::timestamptz and c.at < @until::timestamptz
    union
    select t.customer_id from provider_events e join touches t on t.id = e.touch_id
    where e.kind in ('bounced', 'complained', 'unsubscribed') and t.channel = 'email'
    and e.at >= @since::timestamptz and e.at < @until::timestamptz
)
select (select count(*) from lost)::int as lost,
    (select count(*) from consents c where c.channel = 'email' and c.state = 'granted'
        and not exists (select from lost l where l.customer_id = c.customer_id))::int as reachable;

-- name: KPIViolations :one
-- Marketing touches that went out although consent had been withdrawn, the address
-- had been suppressed, or the customer had been erased by then.
select count(distinct t.id)::int as violations
from forbidden f join touches t on t.customer_id = f.customer_id and (f.channel = '' or t.channel = f.channel)
where t.class = 'marketing' and t.reserved_at is not null and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at) > f.at
and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) < @until::timestamptz;

-- name: KPITone :one
-- Touches to which the tone rule objected.
select count(distinct d.touch_id)::int as objected
from decision_log d
where d.kind in ('touch.blocked', 'touch.in_review') and d.at >= @since::timestamptz and d.at < @until::timestamptz
and d.body like '%"tone"%' and d.body::jsonb @? '$.verdict.findings[*] ? (@.rule == "tone" && @.outcome != "allow")';

-- name: KPISums :one
select sums from kpi_sums
where since = @since and until = @until and channel = @channel and journey = @journey and campaign = @campaign
and revision = @revision;

-- name: SaveKPISums :exec
insert into kpi_sums (since, until, channel, journey, campaign, revision, sums)
values (@since, @until, @channel, @journey, @campaign, @revision, @sums)
on conflict (since, until, channel, journey, campaign) do update set revision = excluded.revision, sums = excluded.sums;

-- name: ForgetKPISums :exec
delete from kpi_sums where revision < @revision;

---------------------------------------------------------------- small tables

-- name: KPIReviews :one
-- Reviews that a person decided. Wall-clock time.
select count(*)::int as decided,
    coalesce(sum(extract(epoch from r.decided_at - r.opened_at)), 0)::double precision as seconds,
    coalesce(sum(extract(epoch from r.decided_at - r.opened_at) ^ 2), 0)::double precision as seconds_squares,
    count(*) filter (where r.decided_at <= r.due_at)::int as in_time,
    count(*) filter (where r.kind = 'touch')::int as touches,
    count(*) filter (where r.kind = 'touch' and r.status = 'approved')::int as touches_approved,
    count(*) filter (where r.kind = 'creative' and c.source = 'model')::int as model,
    count(*) filter (where r.kind = 'creative' and c.source = 'model' and r.status = 'approved')::int as model_approved
from reviews r left join creatives c on c.id = r.creative_id
where r.status in ('approved', 'rejected') and r.decided_by <> '' and r.decided_at is not null
and r.opened_at >= @since::timestamptz and r.opened_at < @until::timestamptz
and (@channel::text = '' or c.channel = @channel::text) and (@journey::text = '' or r.journey = @journey::text)
and (@campaign::text = '' or r.campaign = @campaign::text);

-- name: KPICopy :one
-- Copy that was written in the period and decided on since: approved as it was
-- written, or not. Templates need no decision.
select count(*)::int as decided, count(*) filter (where c.approved_by <> '')::int as approved,
    (select coalesce(sum(a.cost), 0) from creatives a where a.currency = @currency::text
        and a.created_at >= @since::timestamptz and a.created_at < @until::timestamptz
        and (@channel::text = '' or a.channel = @channel::text))::bigint as cost
from creatives c
where c.source <> 'template' and c.status in ('approved', 'rejected', 'retired')
and c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
and (@channel::text = '' or c.channel = @channel::text);

-- name: KPICampaigns :one
-- Campaigns created in the period that have started, and how long that took.
select count(*)::int as started,
    coalesce(sum(extract(epoch from c.started_at - c.created_at)), 0)::double precision as seconds,
    coalesce(sum(extract(epoch from c.started_at - c.created_at) ^ 2), 0)::double precision as seconds_squares
from campaigns c
where c.started_at is not null and c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
and (@journey::text = '' or c.journey = @journey::text) and (@campaign::text = '' or c.name = @campaign::text);
