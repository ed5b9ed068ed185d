-- name: AddRejected :exec
insert into rejected_messages (received_at, key_name, door, sent_at, external_id, reason, body)
select b.received_at, b.key_name, b.door, b.sent_at, b.external_id, b.reason, b.body
from jsonb_populate_recordset(null::rejected_messages, @batch::jsonb) b;

-- name: PruneRejected :execrows
-- Old ones, and the oldest of too many.
delete from rejected_messages where received_at < @before::timestamptz
or id <= coalesce((select r.id from rejected_messages r order by r.id desc offset @keep::int limit 1), 0);

-- name: RejectedMessages :many
select * from rejected_messages
where (@reason::text = '' or position(@reason::text in reason) > 0) and id < @before::bigint
order by id desc limit sqlc.arg('n');

-- name: RejectedReasons :many
select reason, door, count(*)::int as messages, min(received_at)::timestamptz as first, max(received_at)::timestamptz as last
from rejected_messages group by 1, 2 order by 3 desc, 1, 2 limit sqlc.arg('n');

-- name: RejectedToRetry :many
-- Oldest first, each once: the caller goes on behind the last one it saw.
select * from rejected_messages
where id > @after::bigint and (@reason::text = '' or position(@reason::text in reason) > 0)
and (cardinality(@ids::bigint[]) = 0 or id = any(@ids::bigint[]))
order by id limit sqlc.arg('n') for update skip locked;

-- name: DeleteRejected :execrows
delete from rejected_messages where id = any(@ids::bigint[]);

-- name: RejectAgain :exec
update rejected_messages r set attempts = r.attempts + 1, tried_at = @at::timestamptz, reason = b.reason
from (select unnest(@ids::bigint[]) as id, unnest(@reasons::text[]) as reason) b where r.id = b.id;

-- name: EraseRejected :exec
delete from rejected_messages where external_id = any(@names::text[]);
