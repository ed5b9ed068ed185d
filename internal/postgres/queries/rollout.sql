-- Rollout programmes: what was started, the stage in force, and how it came to it.

-- name: LockRollouts :exec
-- Starts are serialised, so that two programmes never govern one journey.
select pg_advisory_xact_lock(hashtextextended('touchstone/rollouts', 0));

-- name: InsertRollout :one
insert into rollouts (programme, version, source, status, started_at, started_by)
select @programme::text, coalesce(max(r.version), 0) + 1, @source::text, 'preflight', @at::timestamptz, @started_by::text
from rollouts r where r.programme = @programme::text
returning version;

-- name: Rollout :one
select * from rollouts where programme = @programme and version = @version;

-- name: LatestRollout :one
select * from rollouts where programme = @programme order by version desc limit 1;

-- name: Rollouts :many
-- The latest start of each programme.
select * from rollouts r
where r.version = (select max(l.version) from rollouts l where l.programme = r.programme) order by r.programme;

-- name: ChangeRollout :execrows
-- The changes of a rollout are numbered by its workflow, so that each is made once.
update rollouts set status = @status::text, phase = @phase::text, stage = @stage::text, since = @since,
    changes = changes + 1, ticks = ticks || @ticks::jsonb, ended_at = @ended_at
where programme = @programme::text and version = @version::int and changes + 1 = @change::int;

-- name: SaveAssessment :exec
update rollouts set assessment = @assessment::jsonb where programme = @programme and version = @version;

-- name: Scopes :many
select * from rollout_scope order by programme;

-- name: SetScope :exec
insert into rollout_scope (programme, version, phase, stage, governs, journeys, channels, agents, review, share, cohort, at)
values (@programme, @version, @phase, @stage, @governs, @journeys, @channels, @agents, @review, @share, @cohort, @at)
on conflict (programme) do update set version = excluded.version, phase = excluded.phase, stage = excluded.stage,
    governs = excluded.governs, journeys = excluded.journeys, channels = excluded.channels, agents = excluded.agents,
    review = excluded.review, share = excluded.share, cohort = excluded.cohort, at = excluded.at;

-- name: LiftScope :execrows
delete from rollout_scope where programme = @programme;

-- name: HaltControls :exec
-- Stops that somebody else set stay theirs.
insert into controls (scope, name, state, reason, by, at)
select @scope::text, n, 'halted', @reason::text, @by::text, @at::timestamptz from unnest(@names::text[]) n
on conflict (scope, name) do update set state = excluded.state, reason = excluded.reason, by = excluded.by, at = excluded.at
where controls.state = 'running';

-- name: LiftControls :exec
update controls set state = 'running', reason = @reason::text, at = @at::timestamptz
where by = @by::text and state = 'halted';

-- name: RolloutTimeline :many
select seq, at, kind, actor, body from decision_log
where kind = any(@kinds::text[]) and subject = @programme and at >= @since::timestamptz order by seq;

-- name: RolloutSample :one
-- Customers to whom a marketing touch was sent in a period.
select count(distinct t.customer_id)::int as customers
from touches t
where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) < @until::timestamptz
and (cardinality(@journeys::text[]) = 0 or t.journey = any(@journeys::text[]));
