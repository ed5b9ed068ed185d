-- A few of the rows behind a key figure, those in the numerator first, latest
-- first. Ids only. An empty channel, journey or campaign means all.

-- name: KPITouchRows :many
-- Counted and hit name what a touch must be to count, and to be in the numerator.
select r.touch_id::text as id, r.at::timestamptz as at, f.hit::boolean as hit,
    (r.journey || ' ' || r.channel || ' ' || r.state)::text as detail
from report_touches r cross join lateral (
    select case @counted::text when 'sent' then r.sent when 'delivered' then r.delivered else r.state <> 'skipped' end as counted,
        case @hit::text when 'delivered' then r.delivered when 'opened' then r.opened when 'clicked' then r.clicked
            when 'complained' then r.complained when 'hard_bounced' then r.hard_bounced when 'unsubscribed' then r.unsubscribed
            when 'blocked' then r.state = 'blocked' when 'reviewed' then r.reviewed when 'unreviewed' then not r.reviewed
            else r.sent end as hit
) f
where r.class = 'marketing' and r.at >= @since::timestamptz and r.at < @until::timestamptz and f.counted
and (@channel::text = '' or r.channel = @channel::text) and (@journey::text = '' or r.journey = @journey::text)
and (@campaign::text = '' or r.campaign = @campaign::text)
order by f.hit desc, r.at desc, r.touch_id limit sqlc.arg('n');

-- name: KPICreditRows :many
select o.external_id::text as id, o.at::timestamptz as at, o.total::bigint as total, t.id::text as touch_id
from orders o cross join lateral (
    select t.id, t.channel, t.journey, t.campaign, coalesce(t.sent_at, t.sending_at) as at from touches t
    where t.customer_id = o.customer_id and t.reserved_at is not null
    and t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) < o.at
    and coalesce(t.sent_at, t.sending_at) >= o.at - @attribution::interval
    order by coalesce(t.sent_at, t.sending_at) desc, t.id desc limit 1
) t
where o.currency = @currency::text and o.at >= @since::timestamptz and o.at < @until::timestamptz and t.at >= @since::timestamptz
and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
and (@campaign::text = '' or t.campaign = @campaign::text)
order by o.at desc, o.external_id limit sqlc.arg('n');

-- name: KPIOrderRows :many
select o.external_id::text as id, o.at::timestamptz as at, o.total::bigint as total
from orders o
where o.currency = @currency::text and o.total > 0 and o.at >= @since::timestamptz and o.at < @until::timestamptz
order by o.at desc, o.external_id limit sqlc.arg('n');

-- name: KPIBuyerRows :many
-- Customers with orders since the given instant, and how many came since the year
-- began; only those who ordered before it as well, where that is asked for.
select o.customer_id::text as id, max(o.at)::timestamptz as at, count(*) filter (where o.at >= @year::timestamptz)::int as recent,
    count(*) filter (where o.at < @year::timestamptz)::int as earlier,
    coalesce(sum(o.total) filter (where o.at >= @year::timestamptz), 0)::bigint as total
from orders o
where o.currency = @currency::text and o.total > 0 and o.at >= @since::timestamptz and o.at < @until::timestamptz
group by o.customer_id
having not @before::boolean or count(*) filter (where o.at < @year::timestamptz) > 0
order by 2 desc, 1 limit sqlc.arg('n');

-- name: KPIReviewRows :many
select r.id::text as id, r.decided_at::timestamptz as at, extract(epoch from r.decided_at - r.opened_at)::double precision as seconds,
    (r.decided_at <= r.due_at)::boolean as in_time, r.status, r.kind, coalesce(c.source, '')::text as source
from reviews r left join creatives c on c.id = r.creative_id
where r.status in ('approved', 'rejected') and r.decided_by <> '' and r.decided_at is not null
and r.opened_at >= @since::timestamptz and r.opened_at < @until::timestamptz
and (@kind::text = '' or r.kind = @kind::text) and (@source::text = '' or c.source = @source::text)
order by r.decided_at desc, r.id limit sqlc.arg('n');

-- name: KPICreativeRows :many
select c.id::text as id, c.created_at as at, (c.approved_by <> '')::boolean as hit, (c.slot || ' ' || c.channel || ' ' || c.status)::text as detail
from creatives c
where c.source <> 'template' and c.status in ('approved', 'rejected', 'retired')
and c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
order by 3 desc, c.created_at desc, c.id limit sqlc.arg('n');

-- name: KPICampaignRows :many
select c.name as id, c.started_at::timestamptz as at, extract(epoch from c.started_at - c.created_at)::double precision as seconds
from campaigns c
where c.started_at is not null and c.created_at >= @since::timestamptz and c.created_at < @until::timestamptz
order by c.started_at desc, c.name limit sqlc.arg('n');

-- name: KPIHoldoutRows :many
select h.customer_id::text as id, h.entered_at::timestamptz as at, h.held_out::boolean as held_out, h.revenue::bigint as revenue
from report_holdout h where h.entered_at < @until::timestamptz
order by h.held_out desc, h.entered_at desc, h.customer_id limit sqlc.arg('n');

-- name: KPILapsedRows :many
-- Touches to lapsed customers, and whether an order followed in time.
select t.id::text as id, coalesce(t.sent_at, t.sending_at)::timestamptz as at, (exists (
        select from orders o where o.customer_id = t.customer_id and o.total > 0 and o.currency = @currency::text
        and o.at > coalesce(t.sent_at, t.sending_at) and o.at <= coalesce(t.sent_at, t.sending_at) + @attribution::interval
        and o.at < @until::timestamptz))::boolean as hit, t.customer_id::text as customer_id
from touches t
where t.class = 'marketing' and t.group_key = 'lapsed' and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
and coalesce(t.sent_at, t.sending_at, t.planned_at) < @until::timestamptz
and (@channel::text = '' or t.channel = @channel::text) and (@journey::text = '' or t.journey = @journey::text)
and (@campaign::text = '' or t.campaign = @campaign::text)
order by 3 desc, 2 desc, 1 limit sqlc.arg('n');

-- name: KPIViolationRows :many
-- See KPIViolations.
select distinct on (t.id) t.id::text as id, coalesce(t.sent_at, t.sending_at)::timestamptz as at, f.why
from forbidden f join touches t on t.customer_id = f.customer_id and (f.channel = '' or t.channel = f.channel)
where t.class = 'marketing' and t.reserved_at is not null and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at) > f.at
and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) < @until::timestamptz
order by t.id, f.at limit sqlc.arg('n');

-- name: KPIToneRows :many
select d.touch_id::text as id, max(d.at)::timestamptz as at
from decision_log d
where d.kind in ('touch.blocked', 'touch.in_review') and d.at >= @since::timestamptz and d.at < @until::timestamptz
and d.body like '%"tone"%' and d.body::jsonb @? '$.verdict.findings[*] ? (@.rule == "tone" && @.outcome != "allow")'
group by d.touch_id order by 2 desc, 1 limit sqlc.arg('n');
