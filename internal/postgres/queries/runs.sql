-- name: EnterRun :one
-- One statement decides and records an entry. The caller holds the journey's
-- lock on the customer, so that the re-entry rule sees every earlier entry.
insert into journey_runs (id, journey, version, customer_id, entry_key, arm, status, durable, entered_at,
    entry_event_id, entry, ended_at, end_reason)
select @id::uuid, @journey::text, @version::int, c.id, @entry_key::text, a.arm,
    case a.arm when 'treated' then 'running' else 'ended' end, a.arm = 'treated', @at::timestamptz,
    nullif(@event_id::text, '')::uuid, @entry::jsonb,
    case a.arm when 'treated' then null else @at::timestamptz end,
    case a.arm when 'treated' then '' else 'holdout' end
from customers c
cross join lateral (select case
    when bucket('holdout', c.id) < @global::double precision then 'global_holdout'
    when bucket('holdout/' || @journey::text, c.id) < @holdout::double precision then 'holdout'
    else 'treated' end as arm) a
where c.id = coalesce((select m.merged_into from customers m where m.id = @customer_id::uuid), @customer_id::uuid) and c.erased_at is null
and (@always::boolean or not exists (
    select from journey_runs r where r.journey = @journey::text and r.customer_id = c.id
    and r.entered_at > @not_since::timestamptz))
on conflict (journey, customer_id, entry_key) do nothing
returning *;

-- name: StandingRun :one
-- The run that stands in the way of an entry: the same entry, else the latest.
select r.* from journey_runs r where r.journey = @journey and r.customer_id = @customer_id
order by (r.entry_key = @entry_key::text) desc, r.entered_at desc limit 1;

-- name: Run :one
select * from journey_runs where id = @id;

-- name: RunsOf :many
select * from journey_runs where customer_id = @customer_id order by entered_at, id;

-- name: ActiveRuns :many
select * from journey_runs where customer_id = @customer_id and status <> 'ended' order by entered_at, id;

-- name: HeldRuns :many
select * from journey_runs where held and (@journey::text = '' or journey = @journey::text)
and id > @after::uuid order by id limit sqlc.arg('n');

-- name: RunsInJourney :many
select * from journey_runs where journey = @journey and status = any(@statuses::text[])
and id > @after::uuid order by id limit sqlc.arg('n');

-- name: DueRuns :many
select * from journey_runs where campaign = @campaign and status = 'pending' and due_at <= @now::timestamptz
order by due_at, id limit sqlc.arg('n');

-- name: NextDue :one
select (select r.due_at from journey_runs r where r.campaign = @campaign and r.status = 'pending'
        and r.due_at is not null order by r.due_at, r.id limit 1) as due,
    (select count(*) from journey_runs r where r.campaign = @campaign and r.status = 'pending')::int as pending;

-- name: DetachRuns :exec
with standing as (
    select r.id from journey_runs r where r.id = any(@ids::uuid[]) and r.status = 'pending' order by r.id for update
)
update journey_runs r set status = 'running', durable = true from standing s where r.id = s.id;

-- name: MoveRuns :exec
with moves as (
    select unnest(@ids::uuid[]) as id, unnest(@states::text[]) as status, unnest(@durables::bool[]) as durable,
        unnest(@helds::bool[]) as held, unnest(@steps::text[]) as step, unnest(@starts::timestamptz[]) as step_started_at,
        unnest(@dues::timestamptz[]) as due_at, unnest(@positions::int[]) as position,
        unnest(@conversions::timestamptz[]) as converted_at, unnest(@ends::timestamptz[]) as ended_at,
        unnest(@reasons::text[]) as end_reason
), standing as (
    select r.id, r.status from journey_runs r where r.id in (select m.id from moves m) order by r.id for update
)
update journey_runs r set
    status          = case when s.status = 'ended' then s.status else coalesce(nullif(m.status, ''), r.status) end,
    durable         = case when s.status = 'ended' then r.durable else r.durable or m.durable end,
    held            = case when s.status = 'ended' then false else m.held end,
    step            = case when s.status = 'ended' or m.step = '' then r.step else m.step end,
    step_started_at = case when s.status = 'ended' then r.step_started_at else coalesce(nullif(m.step_started_at, '0001-01-01 00:00:00Z'), r.step_started_at) end,
    due_at          = case when s.status = 'ended' then null else nullif(m.due_at, '0001-01-01 00:00:00Z') end,
    position        = case when s.status = 'ended' or m.position = 0 then r.position else m.position end,
    converted_at    = coalesce(nullif(m.converted_at, '0001-01-01 00:00:00Z'), r.converted_at),
    ended_at        = case when s.status = 'ended' then r.ended_at else coalesce(nullif(m.ended_at, '0001-01-01 00:00:00Z'), r.ended_at) end,
    end_reason      = case when s.status = 'ended' or m.end_reason = '' then r.end_reason else m.end_reason end
from moves m join standing s on s.id = m.id
where r.id = m.id;
