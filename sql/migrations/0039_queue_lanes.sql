-- The queue in lanes, each of a few thousand steps in the order in which they were queued. A claim
-- looks at the lanes that have unclaimed steps, and so never at what is left of those that have
-- gone: while somebody holds a transaction open, that cannot be cleared away, in the index neither.

alter table flowledger.queue add column lane bigint not null default 0;

comment on column flowledger.queue.lane is
    'Steps that were queued at about the same time. Those of lane 0 are always looked at.';

drop index flowledger.queue_claimable;
create index queue_claimable on flowledger.queue (lane, sort_key, queued) where worker_id is null;

create table flowledger.queue_lane (
    shard integer not null,
    lane bigint not null,
    primary key (shard, lane)
);

comment on table flowledger.queue_lane is
    'The lanes in which a shard may have unclaimed steps. The last one is filled.';
