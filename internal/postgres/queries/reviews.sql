-- name: InsertReview :execrows
insert into reviews (id, workflow_id, kind, creative_id, content_hash, journey, campaign, reasons, author, status,
    opened_at, due_at)
values (@id, @workflow_id, @kind, @creative_id, @content_hash, @journey, @campaign, @reasons, @author, 'awaiting',
    @opened_at, @due_at)
on conflict (workflow_id) do nothing;

-- name: LockReview :one
select id, status from reviews where workflow_id = @workflow_id for update;

-- name: AddWaiters :exec
insert into review_waiters (review_id, run_id, touch_id)
select b.review_id, b.run_id, b.touch_id
from jsonb_populate_recordset(null::review_waiters, @batch::jsonb) b
on conflict (review_id, run_id) do update set touch_id = coalesce(excluded.touch_id, review_waiters.touch_id);

-- name: Review :one
select sqlc.embed(r), (select count(*) from review_waiters w where w.review_id = r.id)::int as waiting
from reviews r where r.id = @id;

-- name: ReviewByWorkflow :one
select sqlc.embed(r), (select count(*) from review_waiters w where w.review_id = r.id)::int as waiting
from reviews r where r.workflow_id = @workflow_id;

-- name: Reviews :many
select sqlc.embed(r), (select count(*) from review_waiters w where w.review_id = r.id)::int as waiting
from reviews r where @status::text = '' or r.status = @status::text
order by r.due_at, r.id limit sqlc.arg('n');

-- name: LockReviewByID :one
select * from reviews where id = @id for update;

-- name: DecideReview :exec
update reviews set status = @status, decided_by = @by, note = @note, decided_at = @at::timestamptz where id = @id;

-- name: EscalateReview :execrows
update reviews set escalated_at = coalesce(escalated_at, @at::timestamptz) where id = @id;

-- name: Waiters :many
select run_id, touch_id from review_waiters where review_id = @id and run_id > @after::uuid
order by run_id limit sqlc.arg('n');

-- name: ReplaceReviewed :execrows
update reviews set creative_id = @creative_id, content_hash = @content_hash, author = @author
where id = @id and status = 'awaiting';

-- name: ReopenCreative :exec
update creatives set status = 'in_review', approved_by = '' where id = @id and status <> 'approved';

-- name: RetireCreative :exec
update creatives set status = 'retired' where id = @id and status in ('draft', 'in_review');

-- name: ReleaseTouches :exec
with standing as (
    select t.id from touches t where t.id = any(@ids::uuid[]) and t.state = 'in_review'
    order by t.customer_id, t.id for update
), released as (
    update touches t set state = @state::text, reason = @reason::text,
        not_before = case when @state::text = 'planned' then @at::timestamptz end,
        settled_at = case when @state::text = 'planned' then null else @at::timestamptz end
    from standing s where t.id = s.id returning t.id
)
insert into touch_history (touch_id, at, state, reason)
select r.id, @at::timestamptz, @state::text, @reason::text from released r;

-- name: ReleaseRuns :exec
with standing as (
    select r.id from journey_runs r where r.id = any(@ids::uuid[]) and r.status = 'pending' order by r.id for update
)
update journey_runs r set due_at = least(r.due_at, @at::timestamptz) from standing s where r.id = s.id;

-- name: TouchReviewed :one
select exists (
    select from review_waiters w join reviews r on r.id = w.review_id join touches t on t.id = w.touch_id
    where w.touch_id = @id::uuid and r.kind = 'touch' and r.status = 'approved' and r.content_hash = t.content_hash);
