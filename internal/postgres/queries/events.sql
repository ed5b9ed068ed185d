-- name: ClaimOutbox :many
select o.id as outbox_id, o.attempts, o.event_id, coalesce(e.customer_id, o.customer_id)::uuid as customer_id, o.name, o.occurred_at,
    coalesce(e.received_at, o.occurred_at)::timestamptz as received_at, coalesce(e.source, '')::text as source,
    coalesce(e.properties, '{}')::jsonb as properties
from event_outbox o left join events e on e.id = o.event_id and e.occurred_at = o.occurred_at
where o.retry_at <= now() order by o.retry_at, o.id limit sqlc.arg('n') for update of o skip locked;

-- name: DeleteFromOutbox :exec
delete from event_outbox where id = any(@ids::bigint[]);

-- name: RetryOutbox :exec
-- Twice the wait after every failure, five minutes at most; real time.
update event_outbox o set attempts = o.attempts + 1, last_error = f.message,
    retry_at = now() + least(interval '1 second' * power(2, least(o.attempts, 9)), interval '5 minutes')
from (select unnest(@ids::bigint[]) as id, unnest(@messages::text[]) as message) f where o.id = f.id;

-- name: OutboxSize :one
select count(*) from event_outbox;
