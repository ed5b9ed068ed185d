-- name: InsertCampaign :execrows
insert into campaigns (name, journey, version, segment, ramp, holdout, per_minute, every, standing, status,
    created_at, created_by)
values (@name, @journey, @version, @segment, @ramp, @holdout, @per_minute, @every, @standing, @status,
    @created_at, @created_by)
on conflict (name) do nothing;

-- name: Campaign :one
select * from campaigns where name = @name;

-- name: Campaigns :many
select * from campaigns order by created_at, name;

-- name: SetCampaignStatus :execrows
update campaigns set status = @status,
    started_at = case when @status::text = 'running' then coalesce(started_at, @at::timestamptz) else started_at end,
    ended_at = case when @status::text = 'done' then coalesce(ended_at, @at::timestamptz) else ended_at end
where name = @name;

-- name: SetCampaignRamp :execrows
update campaigns set ramp = @ramp where name = @name;

-- name: ImportProgress :one
select * from imports where source_hash = @source_hash and kind = @kind;

-- name: SaveImportProgress :exec
insert into imports (source_hash, kind, lines, accepted, rejected, done, updated_at)
values (@source_hash, @kind, @lines, @accepted, @rejected, @done, @updated_at)
on conflict (source_hash, kind) do update set lines = excluded.lines, accepted = excluded.accepted,
    rejected = excluded.rejected, done = excluded.done, updated_at = excluded.updated_at;
