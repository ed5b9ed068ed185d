-- Users of the console, their sessions and sign-in links.

-- name: AddUser :exec
insert into users (id, name, role, token_hash, token_expires_at, email, created_at, created_by)
values (@id, @name, @role, @token_hash, @token_expires_at, @email, @created_at, @created_by);

-- name: Users :many
select * from users order by revoked_at nulls first, name;

-- name: UserByName :one
select * from users where name = @name;

-- name: UserByToken :one
select * from users where token_hash = @token_hash and token_expires_at > @at::timestamptz and revoked_at is null;

-- name: UserBySubject :one
select * from users where subject = @subject and revoked_at is null;

-- name: BindSubject :one
update users set subject = @subject
where lower(email) = lower(@email::text) and subject is null and revoked_at is null returning *;

-- name: RotateToken :execrows
update users set token_hash = @token_hash, token_expires_at = @token_expires_at where name = @name and revoked_at is null;

-- name: RevokeUser :execrows
update users set revoked_at = @at::timestamptz, token_hash = null, token_expires_at = null where name = @name and revoked_at is null;

-- name: EndSessionsOf :exec
delete from user_sessions s using users u where u.id = s.user_id and u.name = @name;

-- name: DropLinksOf :exec
delete from sign_in_links l using users u where u.id = l.user_id and u.name = @name;

-- name: OpenSession :exec
with signed_in as (
    update users u set seen_at = @at::timestamptz where u.id = @user_id
)
insert into user_sessions (hash, user_id, created_at, seen_at, expires_at)
values (@hash, @user_id, @at::timestamptz, @at::timestamptz, @expires_at::timestamptz);

-- name: UserOfSession :one
select u.id, u.name, u.role, s.seen_at from user_sessions s join users u on u.id = s.user_id
where s.hash = @hash and s.expires_at > @at::timestamptz and s.seen_at > @seen_after::timestamptz and u.revoked_at is null;

-- name: SeeSession :exec
with seen as (
    update user_sessions s set seen_at = @at::timestamptz where s.hash = @hash returning s.user_id
)
update users u set seen_at = @at::timestamptz from seen where u.id = seen.user_id;

-- name: EndSession :exec
delete from user_sessions where hash = @hash;

-- name: DropStaleSessions :exec
delete from user_sessions where expires_at <= @at::timestamptz or seen_at <= @seen_after::timestamptz;

-- name: AddLink :exec
insert into sign_in_links (hash, user_id, expires_at) values (@hash, @user_id, @expires_at);

-- name: TakeLink :one
with taken as (
    delete from sign_in_links l where l.hash = @hash returning l.user_id, l.expires_at
)
select u.* from taken t join users u on u.id = t.user_id where t.expires_at > @at::timestamptz and u.revoked_at is null;

-- name: DropStaleLinks :exec
delete from sign_in_links where expires_at <= @at::timestamptz;
