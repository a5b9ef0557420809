-- Several shards, and the processes that may lead them.

create table flowledger.coordinator (
    coordinator_id uuid primary key,
    lease_until timestamptz not null,
    started_at timestamptz not null,
    host text not null,
    pid integer not null
);

comment on table flowledger.coordinator is
    'The processes among which the shards are shared out. Who leads a shard says its own row.';

alter table flowledger.shard add column shards integer not null default 1;

comment on column flowledger.shard.shards is
    'how many there are, the same in every row, so that whoever locks one row knows it';
