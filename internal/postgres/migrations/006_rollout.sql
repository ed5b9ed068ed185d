-- Rollout programmes: which part of the customers journeys may reach, stage by
-- stage; and the reviews of weeks and months.

-- One row per start of a programme; source is the file as started.
create table rollouts (
    programme   text not null,
    version     int not null,
    source      text not null,
    status      text not null check (status in ('preflight', 'running', 'awaiting', 'held', 'halted', 'done', 'aborted')),
    phase       text not null default '',
    stage       text not null default '',
    since       timestamptz,
    changes     int not null default 0,
    ticks       jsonb not null default '{}',
    assessment  jsonb not null default '{}',
    started_at  timestamptz not null,
    started_by  text not null default '',
    ended_at    timestamptz,
    primary key (programme, version)
);

-- The stage in force. Entries and sends of the journeys that it governs (empty =
-- all) are let through for customers whose bucket('rollout/<programme>') lies
-- under share and who match the cohort, a segment. Empty lists let all through.
create table rollout_scope (
    programme text primary key,
    version   int not null,
    phase     text not null,
    stage     text not null,
    governs   text[] not null default '{}',
    journeys  text[] not null default '{}',
    channels  text[] not null default '{}',
    agents    text[] not null default '{}',
    review    text not null default '',
    share     double precision not null check (share >= 0 and share <= 1),
    cohort    text not null default '',
    at        timestamptz not null
);

-- Reviews of a week or month as they were when they were made.
create table reports (
    kind    text not null check (kind in ('weekly', 'monthly')),
    since   timestamptz not null,
    until   timestamptz not null,
    made_at timestamptz not null,
    body    jsonb not null,
    primary key (kind, since)
);
