-- Who may use the console, and the indexes behind its pages. Instants of this
-- file are on the real clock: people are not scaled.

-- name signs what a person does in the decision log, so a user is revoked and
-- never deleted, and a name is never given to somebody else.
create table users (
    id               uuid primary key,
    name             text not null unique check (length(name) between 1 and 100),
    role             text not null check (role in ('viewer', 'marketer', 'reviewer', 'admin')),
    token_hash       bytea unique,       -- SHA-256 of the token; null: signs in by OpenID Connect only
    token_expires_at timestamptz,
    email            text,               -- by which a first OpenID Connect sign-in is recognised
    subject          text unique,        -- issuer and subject, bound by that first sign-in
    created_at       timestamptz not null,
    created_by       text not null,
    seen_at          timestamptz,
    revoked_at       timestamptz
);
create unique index users_email on users (lower(email)) where email is not null;

-- hash is SHA-256 of the cookie's value. A session ends when it has not been
-- seen for a while, at expires_at, or with its user, whichever comes first.
create table user_sessions (
    hash       bytea primary key,
    user_id    uuid not null references users on delete cascade,
    created_at timestamptz not null,
    seen_at    timestamptz not null,
    expires_at timestamptz not null
);
create index user_sessions_user on user_sessions (user_id);
create index user_sessions_expiry on user_sessions (expires_at);

-- Links that sign in once. hash is SHA-256 of the code in the link.
create table sign_in_links (
    hash       bytea primary key,
    user_id    uuid not null references users on delete cascade,
    expires_at timestamptz not null
);

-- What people did: entries about no single customer, by nobody of the engine.
create index decision_log_people on decision_log (seq) where customer_id is null and actor <> 'engine';

-- Reviews in the order in which they were decided.
create index reviews_decided on reviews (decided_at desc, id) where decided_at is not null;

-- Customers by the beginning of their external id, whatever the collation.
create index customers_external_prefix on customers (external_id text_pattern_ops);
