-- Sums behind the report (measure.Figures). Each reads its tables once; none
-- returns a row per customer, order or touch. A touch was sent when its state
-- holds a slot and is not 'reserved' (lifecycle.TouchState.Sent), at sent_at, or
-- at sending_at while the provider's answer is out.

-- name: ReportTotals :one
select
    (select count(*) from customers c where c.erased_at is null)::int as customers,
    (select count(distinct r.customer_id) from journey_runs r
        where r.entered_at >= @since::timestamptz and r.entered_at < @until::timestamptz)::int as entered,
    count(*) filter (where o.currency = @currency::text and o.total > 0)::int as orders,
    count(*) filter (where o.currency = @currency::text and o.total < 0)::int as refunds,
    coalesce(sum(o.total) filter (where o.currency = @currency::text), 0)::bigint as revenue,
    count(*) filter (where o.currency <> @currency::text)::int as other_orders
from orders o where o.at >= @since::timestamptz and o.at < @until::timestamptz;

-- name: ReportTouches :many
select t.channel, t.class, t.state, count(*)::int as n
from touches t
where case when touch_holds_slot(t.state) and t.state <> 'reserved'
    then coalesce(t.sent_at, t.sending_at) else t.planned_at end >= @since::timestamptz
and case when touch_holds_slot(t.state) and t.state <> 'reserved'
    then coalesce(t.sent_at, t.sending_at) else t.planned_at end < @until::timestamptz
group by t.channel, t.class, t.state order by t.channel, t.class, t.state;

-- name: ReportNotSent :many
-- What a reason says before its first colon is the rule or the kind of reason;
-- after it come values.
select t.state, split_part(t.reason, ':', 1)::text as reason, count(*)::int as n
from touches t
where t.planned_at >= @since::timestamptz and t.planned_at < @until::timestamptz
and (not touch_holds_slot(t.state) or t.state = 'reserved')
group by t.state, 2 order by t.state, n desc, 2;

-- name: ReportSent :many
with sent as (
    select t.*, coalesce(t.sent_at, t.sending_at) as at from touches t
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and (t.sent_at >= @since::timestamptz and t.sent_at < @until::timestamptz
        or t.sent_at is null and t.sending_at >= @since::timestamptz and t.sending_at < @until::timestamptz)
)
select s.journey, s.campaign, s.agent, s.channel, s.offer_id,
    floor(extract(epoch from s.at - @since::timestamptz) / 604800)::int as week,
    count(*)::int as touches, coalesce(sum(s.cost) filter (where s.currency = @currency::text), 0)::bigint as cost,
    count(s.opened_at)::int as opened, count(s.clicked_at)::int as clicked
from sent s group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6;

-- name: ReportCredits :many
-- Last touch: an order belongs to the customer's last sent marketing touch at
-- most this long before it. Orders of touches sent before the period
-- are nobody's here, so that money and touches are about the same touches.
with credited as (
    select distinct on (o.external_id) o.at, o.total, t.journey, t.campaign, t.agent, t.channel, t.offer_id,
        coalesce(t.sent_at, t.sending_at) as touched_at
    from orders o join touches t on t.customer_id = o.customer_id
    where o.at >= @since::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text
    and t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) < o.at
    and coalesce(t.sent_at, t.sending_at) >= o.at - @attribution::interval
    order by o.external_id, touched_at desc, t.id desc
)
select c.journey, c.campaign, c.agent, c.channel, c.offer_id,
    floor(extract(epoch from c.at - @since::timestamptz) / 604800)::int as week,
    count(*) filter (where c.total > 0)::int as orders, sum(c.total)::bigint as revenue
from credited c where c.touched_at >= @since::timestamptz
group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6;

-- name: ReportProgramme :many
-- The always-on holdout: everybody who ever entered a journey, in the arm of the
-- very first run, from that run or the period's beginning, whichever is later.
-- Nothing was sent before the first run, so entering does not depend on the arm.
with first as (
    select distinct on (r.customer_id) r.customer_id, r.arm, greatest(r.entered_at, @since::timestamptz) as at
    from journey_runs r where r.entered_at < @until::timestamptz
    order by r.customer_id, r.entered_at, r.id
), bought as (
    select f.customer_id, sum(o.total) as revenue, max(o.total) > 0 as converted
    from first f join orders o on o.customer_id = f.customer_id and o.at > f.at and o.at < @until::timestamptz
    where o.currency = @currency::text
    group by f.customer_id
), sent as (
    select f.customer_id, count(*) as touches
    from first f join touches t on t.customer_id = f.customer_id
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) >= f.at
    and coalesce(t.sent_at, t.sending_at) < @until::timestamptz
    group by f.customer_id
)
select (f.arm = 'global_holdout')::boolean as held, count(*)::int as customers,
    count(*) filter (where b.converted)::int as converted,
    coalesce(sum(b.revenue), 0)::double precision as revenue,
    coalesce(sum(b.revenue * b.revenue), 0)::double precision as revenue_squares,
    coalesce(sum(s.touches), 0)::int as touches
from first f left join bought b on b.customer_id = f.customer_id left join sent s on s.customer_id = f.customer_id
group by 1 order by 1;

-- name: ReportRuns :many
select 'journey'::text as scope, r.journey as name, r.journey, r.arm, count(*)::int as runs
from journey_runs r where r.entered_at >= @since::timestamptz and r.entered_at < @until::timestamptz
group by r.journey, r.arm
union all
select 'campaign'::text, r.campaign, max(r.journey), r.arm, count(*)::int
from journey_runs r where r.campaign <> '' and r.entered_at >= @since::timestamptz and r.entered_at < @until::timestamptz
group by r.campaign, r.arm
order by 1 desc, 2, 4;

-- name: ReportRules :many
-- Only these kinds of record carry objections; their verdicts name the rules.
select (f.finding ->> 'rule')::text as rule, (f.finding ->> 'outcome')::text as outcome,
    count(*)::int as findings, count(distinct d.touch_id)::int as touches
from decision_log d
cross join lateral jsonb_path_query(d.body::jsonb, '$.verdict.findings[*]') as f(finding)
where d.kind in ('touch.blocked', 'touch.deferred', 'touch.in_review') and f.finding ->> 'outcome' <> 'allow'
and d.at >= @since::timestamptz and d.at < @until::timestamptz
group by 1, 2 order by 1, 2;

-- name: ReportResponses :one
-- Touches sent in the period that were opened and clicked by its end, by people
-- (only where delivered, so that it is a share of those) and by machines.
with seen as (
    select e.touch_id, bool_or(e.kind = 'opened' and not e.machine) as opened, bool_or(e.kind = 'clicked' and not e.machine) as clicked,
        bool_or(e.kind = 'opened' and e.machine) as machine_opened, bool_or(e.kind = 'clicked' and e.machine) as machine_clicked
    from provider_events e
    where e.touch_id is not null and e.kind in ('opened', 'clicked') and e.at >= @since::timestamptz and e.at < @until::timestamptz
    group by e.touch_id
)
select count(*) filter (where s.opened and t.state in ('delivered', 'complained'))::int as opened,
    count(*) filter (where s.clicked and t.state in ('delivered', 'complained'))::int as clicked,
    count(*) filter (where s.machine_opened)::int as machine_opened,
    count(*) filter (where s.machine_clicked)::int as machine_clicked
from seen s join touches t on t.id = s.touch_id
where touch_holds_slot(t.state) and t.state <> 'reserved'
and (t.sent_at >= @since::timestamptz and t.sent_at < @until::timestamptz
    or t.sent_at is null and t.sending_at >= @since::timestamptz and t.sending_at < @until::timestamptz);

-- name: ReportWithdrawals :many
select c.channel, c.source, count(*)::int as n from consents c
where c.state = 'withdrawn' and c.at >= @since::timestamptz and c.at < @until::timestamptz
group by c.channel, c.source order by c.channel, c.source;

-- name: ReportReviews :many
select r.kind, r.status, r.decided_by, count(*)::int as n,
    count(*) filter (where r.status in ('approved', 'rejected') and r.decided_at <= r.due_at)::int as in_time
from reviews r where r.opened_at >= @since::timestamptz and r.opened_at < @until::timestamptz
group by r.kind, r.status, r.decided_by order by r.kind, r.status, r.decided_by;

-- name: ReportReviewTimes :one
select count(*)::int as n,
    coalesce(percentile_cont(0.5) within group (order by extract(epoch from r.decided_at - r.opened_at)::double precision), 0)::double precision as median,
    coalesce(percentile_cont(0.95) within group (order by extract(epoch from r.decided_at - r.opened_at)::double precision), 0)::double precision as p95
from reviews r where r.opened_at >= @since::timestamptz and r.opened_at < @until::timestamptz
and r.status in ('approved', 'rejected') and r.decided_at is not null;

-- name: ReportCopy :many
select c.source, c.status, c.currency, count(*)::int as n, sum(c.cost)::bigint as cost
from creatives c where c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
group by c.source, c.status, c.currency order by c.source, c.status, c.currency;
