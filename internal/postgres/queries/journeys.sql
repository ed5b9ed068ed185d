-- name: Journey :one
select * from journeys where name = @name and version = @version;

-- name: LatestJourney :one
select * from journeys where name = @name order by version desc limit 1;

-- name: LatestJourneys :many
select distinct on (name) * from journeys order by name, version desc;

-- name: InsertJourney :exec
insert into journeys (name, version, source, hash, listens, entry_event, applied_at, applied_by)
values (@name, @version, @source, @hash, @listens, @entry_event, @applied_at, @applied_by);

-- name: Setting :one
select value from settings where key = @key;

-- name: SaveSetting :exec
insert into settings (key, value, updated_at, updated_by) values (@key, @value, @updated_at, @updated_by)
on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by;

-- name: Controls :many
select * from controls order by scope, name;

-- name: SetControl :exec
insert into controls (scope, name, state, reason, by, at) values (@scope, @name, @state, @reason, @by, @at)
on conflict (scope, name) do update
set state = excluded.state, reason = excluded.reason, by = excluded.by, at = excluded.at;
