-- name: InsertCreatives :exec
insert into creatives (id, slot, channel, variant, offer_id, parts, content_hash, source, author, status,
    approved_by, model, cost, currency, created_at)
select b.id, b.slot, b.channel, b.variant, b.offer_id, b.parts, b.content_hash, b.source, b.author, b.status,
    b.approved_by, b.model, b.cost, b.currency, b.created_at
from jsonb_populate_recordset(null::creatives, @batch::jsonb) b
on conflict (slot, channel, content_hash) do nothing;

-- name: StoredCreatives :many
select sqlc.embed(c) from jsonb_populate_recordset(null::creatives, @batch::jsonb) b
join creatives c on c.slot = b.slot and c.channel = b.channel and c.content_hash = b.content_hash;

-- name: Creative :one
select * from creatives where id = @id;

-- name: Creatives :many
select * from creatives where slot = any(@slots::text[]) order by slot, channel, variant, created_at, id;

-- name: AllCreatives :many
select * from creatives order by slot, channel, variant, created_at, id;

-- name: SetCreativeStatus :execrows
update creatives set status = @status,
    approved_by = case when @status::text = 'approved' then @by::text else approved_by end
where id = @id;
