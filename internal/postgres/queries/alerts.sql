-- name: OpenAlerts :many
select * from alerts where closed_at is null and kind = any(@kinds::text[]) order by key for update;

-- name: InsertAlert :exec
insert into alerts (id, key, kind, severity, title, detail, metric, value, expected, allowed, opened_at, seen_at)
values (@id, @key, @kind, @severity, @title, @detail, @metric, @value, @expected, @allowed, @at, @at);

-- name: SeeAlert :exec
-- What is wrong still is, or more so. A rise in severity voids what somebody
-- acknowledged.
update alerts set seen_at = greatest(seen_at, @at::timestamptz), severity = @severity, title = @title, detail = @detail, value = @value,
    expected = @expected, allowed = @allowed,
    acked_at = case when @raised::boolean then null else acked_at end, acked_by = case when @raised::boolean then '' else acked_by end
where id = @id;

-- name: CloseAlert :exec
update alerts set closed_at = greatest(opened_at, @at::timestamptz) where id = @id and closed_at is null;

-- name: AckAlert :execrows
update alerts set acked_at = @at::timestamptz, acked_by = @by where id = @id and closed_at is null and acked_at is null;

-- name: Alerts :many
select * from alerts where @all_of_them::boolean or closed_at is null
order by (closed_at is null) desc, opened_at desc, id desc limit sqlc.arg('n');

-- name: AlertsEnding :many
select a.* from alerts a where right(a.id::text, length(@ref::text)) = lower(@ref::text)
order by a.opened_at desc limit 2;

-- name: InsertNotices :exec
insert into alert_notices (alert_id, occasion, target, made_at, retry_at)
select @alert_id, @occasion, unnest(@targets::text[]), @at::timestamptz, @at::timestamptz;

-- name: DropNotices :exec
-- A recovery makes what was not delivered yet pointless, except the first word of it.
update alert_notices set given_up_at = @at::timestamptz, last_error = 'recovered before it was delivered'
where alert_id = @alert_id and delivered_at is null and given_up_at is null and occasion in ('raised', 'reminder');

-- name: RemindOfAlerts :exec
-- One reminder per target for every open alert nobody acknowledged whose last
-- notice to that target is older than asked for.
insert into alert_notices (alert_id, occasion, target, made_at, retry_at)
select a.id, 'reminder', x.target, @at::timestamptz, @at::timestamptz
from alerts a cross join (select unnest(@targets::text[]) as target) x
where a.closed_at is null and a.acked_at is null and not exists (
    select from alert_notices n where n.alert_id = a.id and n.target = x.target and n.made_at > @older_than::timestamptz);

-- name: ClaimNotices :many
-- Hands notices to one sender; after the lease others may try.
with due as (
    select n.id from alert_notices n
    where n.delivered_at is null and n.given_up_at is null and n.retry_at <= @at::timestamptz and n.target = any(@targets::text[])
    order by n.retry_at, n.id limit sqlc.arg('n') for update skip locked
)
update alert_notices n set attempts = n.attempts + 1, retry_at = @leased_until::timestamptz from due d where n.id = d.id returning n.*;

-- name: AlertsByID :many
select * from alerts where id = any(@ids::uuid[]);

-- name: ForgetTargets :exec
-- What waits for a target that is no longer configured will never be delivered.
update alert_notices set given_up_at = @at::timestamptz, last_error = 'the target is no longer configured'
where delivered_at is null and given_up_at is null and target <> all(@targets::text[]);

-- name: SettleNotice :exec
update alert_notices set delivered_at = sqlc.narg('delivered_at'), given_up_at = sqlc.narg('given_up_at'), last_error = @last_error,
    retry_at = @retry_at where id = @id;

-- name: NoticesOf :many
select * from alert_notices where alert_id = @alert_id order by id;
