-- Metrics by the hour, straight from the rows. The conditions on coalesce(...) are
-- implied by those on sent_at; they name the expression that is indexed. The answers are a row per hour and
-- kind, or per hour since the send: never one per touch.

-- name: HourlySends :many
select date_trunc('hour', t.sent_at)::timestamptz as hour, count(*)::int as n
from touches t where coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
and t.sent_at >= @since::timestamptz and t.sent_at < @until::timestamptz and touch_holds_slot(t.state)
group by 1 order by 1;

-- name: HourlyOrders :many
select date_trunc('hour', o.at)::timestamptz as hour, count(*)::int as n, sum(o.total)::bigint as revenue
from orders o where o.at >= @since::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text and o.total > 0
group by 1 order by 1;

-- name: HourlyResponses :many
-- What came back, by the hour in which it came and by hours since the send.
-- Opens and clicks are the first by a person; the others are the first report.
with given as (
    select @since::timestamptz as since, @until::timestamptz as until, @reach::interval as reach
)
select r.kind::text as kind, date_trunc('hour', r.at)::timestamptz as hour,
    floor(extract(epoch from r.at - r.sent_at) / 3600)::int as lag, count(*)::int as n
from (
    select 'opens' as kind, t.opened_at as at, t.sent_at from given v cross join touches t
    where coalesce(t.sent_at, t.sending_at, t.planned_at) >= v.since - v.reach and t.sent_at >= v.since - v.reach and t.opened_at >= v.since and t.opened_at < v.until
    union all
    select 'clicks', t.clicked_at, t.sent_at from given v cross join touches t
    where coalesce(t.sent_at, t.sending_at, t.planned_at) >= v.since - v.reach and t.sent_at >= v.since - v.reach and t.clicked_at >= v.since and t.clicked_at < v.until
    union all
    select case p.kind when 'complained' then 'complaints' when 'unsubscribed' then 'unsubscribes' else 'bounces' end, min(p.at), t.sent_at
    from given v cross join provider_events p join touches t on t.id = p.touch_id
    where p.kind in ('bounced', 'blocked', 'dropped', 'complained', 'unsubscribed') and t.sent_at is not null
    and p.at >= v.since and p.at < v.until
    group by 1, t.id, t.sent_at
) r cross join given v
where r.at >= r.sent_at and r.at < r.sent_at + v.reach
group by 1, 2, 3 order by 1, 2, 3;
