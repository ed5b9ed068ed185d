-- What the metrics endpoints show of the business. The instants are business time.

-- name: GaugeTouches :many
select t.channel, t.state, count(*)::int as n
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id
where t.sent_at >= @since::timestamptz and touch_holds_slot(t.state) and t.state <> 'reserved'
group by 1, 2 order by 1, 2;

-- name: GaugeDecisions :many
select d.kind, count(*)::int as n from decision_log d
where d.kind in ('touch.planned', 'touch.in_review', 'touch.deferred', 'touch.skipped', 'touch.blocked', 'touch.rejected')
and d.at >= @since::timestamptz group by 1 order by 1;

-- name: GaugeBlocks :many
select (f.finding ->> 'rule')::text as rule, count(distinct d.touch_id)::int as n
from decision_log d cross join lateral jsonb_path_query(d.body::jsonb, '$.verdict.findings[*]') as f(finding)
where d.kind = 'touch.blocked' and f.finding ->> 'outcome' = 'block' and d.at >= @since::timestamptz
group by 1 order by 1;

-- name: GaugeQueues :one
-- Reviews and the outbox wait in real time; 1970 stands for none.
select
    (select count(*) from reviews r where r.status = 'awaiting')::int as reviews,
    coalesce((select min(r.opened_at) from reviews r where r.status = 'awaiting'), to_timestamp(0))::timestamptz as oldest_review,
    (select count(*) from event_outbox)::int as outbox,
    (select count(*) from event_outbox o where o.attempts > 0)::int as outbox_failing,
    coalesce((select min(e.received_at) from (select o.event_id, o.occurred_at from event_outbox o order by o.id limit 1) o
        join events e on e.id = o.event_id and e.occurred_at = o.occurred_at), to_timestamp(0))::timestamptz as oldest_event,
    (select count(*) from alert_notices n where n.delivered_at is null and n.given_up_at is null)::int as notices;

-- name: GaugeAlerts :many
select a.kind, a.severity, count(*)::int as n from alerts a where a.closed_at is null group by 1, 2 order by 1, 2;

-- name: GaugeViolations :many
select v.rule, count(*)::int as n from violations v where v.found_at >= @since::timestamptz group by 1 order by 1;

-- name: GaugeRevenue :one
-- Revenue per marketing touch, as the report has it: orders belong to the last
-- touch of the period that went out at most the attribution window before.
select
    (select count(*) from touches t where coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
        and t.sent_at >= @since::timestamptz and t.class = 'marketing'
        and touch_holds_slot(t.state) and t.state <> 'reserved')::int as touches,
    coalesce((select sum(o.total) from orders o where o.at >= @since::timestamptz and o.currency = @currency::text and exists (
        select from touches t where t.customer_id = o.customer_id and t.reserved_at is not null and t.class = 'marketing'
        and touch_holds_slot(t.state) and t.state <> 'reserved' and t.sent_at >= @since::timestamptz
        and t.sent_at < o.at and t.sent_at >= o.at - @attribution::interval)), 0)::bigint as revenue;
