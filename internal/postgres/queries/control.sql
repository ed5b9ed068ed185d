-- name: SetRunVersion :exec
with standing as (
    select r.id from journey_runs r where r.id = any(@ids::uuid[]) and r.status <> 'ended' order by r.id for update
)
update journey_runs r set version = @version from standing s where r.id = s.id;

-- name: ReleaseHeld :many
with standing as (
    select r.id from journey_runs r where r.held and (@journey::text = '' or r.journey = @journey::text)
    order by r.id limit sqlc.arg('n') for update
)
update journey_runs r set held = false, due_at = case when r.status = 'pending' then @at::timestamptz else r.due_at end
from standing s where r.id = s.id returning r.*;

-- name: ListenedEvents :many
select distinct e.name::text from (
    select unnest(listens) as name from journeys
    union select entry_event from journeys where entry_event <> ''
) e order by 1;

-- name: Pulse :one
select
    (select count(*) from touches t where t.state in ('sending', 'accepted', 'unconfirmed', 'delivered', 'bounced', 'complained'))::int as sent,
    (select count(*) from touches t where t.state = 'blocked')::int as blocked,
    (select count(*) from touches t where t.state = 'deferred')::int as deferred,
    (select count(*) from reviews r where r.status = 'awaiting')::int as awaiting,
    (select count(*) from journey_runs j where j.status = 'running')::int as running,
    (select count(*) from event_outbox)::int as outbox;

-- name: AttributedRevenue :one
-- Orders credited to the last touch sent to their customer within the window.
select coalesce(sum(o.total), 0)::bigint as revenue
from orders o
where o.at >= @since::timestamptz and exists (
    select from touches t where t.customer_id = o.customer_id and t.reserved_at is not null
    and t.reserved_at > o.at - @attribution::interval and t.reserved_at <= o.at
    and t.state in ('sending', 'accepted', 'unconfirmed', 'delivered', 'bounced', 'complained'));
