-- name: EnsurePartitions :exec
select ensure_partitions(@parents::text[], @since, @until);

-- name: LockNames :exec
-- Serialises work on named things until commit. Sorted, so that overlapping
-- batches cannot wait for each other in a circle.
select pg_advisory_xact_lock(k.id) from (
    select distinct hashtextextended('touchstone/' || n.name, 0) as id
    from (select unnest(@names::text[]) as name) n order by 1
) k;

-- name: Alive :one
select true;
