-- name: AddPrivacyRequest :one
-- An erasure is asked for once; asking again returns the first request.
insert into privacy_requests (id, kind, customer_id, reason, by, requested_at) values (@id, @kind, @customer_id, @reason, @by, @requested_at)
on conflict (customer_id) where kind = 'erase' do update set customer_id = excluded.customer_id
returning *;

-- name: PrivacyRequest :one
select * from privacy_requests where id = @id;

-- name: PrivacyRequests :many
select * from privacy_requests order by recorded_at desc, id desc limit sqlc.arg('n');

-- name: FinishPrivacyRequest :execrows
update privacy_requests set done_at = @done_at::timestamptz, receipt = @receipt where id = @id and done_at is null;

-- name: AmendReceipt :exec
update privacy_requests set receipt = receipt || @receipt where id = @id;

-- name: OpenErasures :many
select * from privacy_requests where kind = 'erase' and done_at is null and recorded_at < @before::timestamptz
order by recorded_at limit sqlc.arg('n');

-- name: ForgetIn :one
select forget_in(@tables::text[], @customer_id::uuid)::bigint as rows;

-- name: RetireErasedIDs :exec
-- Somebody who comes back after an erasure, with a consent given since, is a new
-- customer: the old one gives up the external id.
update customers c set external_id = 'erased:' || c.id
from (select unnest(@external_ids::text[]) as external_id, unnest(@ats::timestamptz[]) as at) g
where c.external_id = g.external_id and c.erased_at < g.at;

-- name: ErasedByExternalID :one
select r.* from customers c join privacy_requests r on r.customer_id = c.id and r.kind = 'erase'
where c.external_id = @external_id and c.erased_at is not null;
