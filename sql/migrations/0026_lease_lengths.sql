-- How long a lease is, and when a rate was last moved, so that what a clock that was ahead has left
-- behind is known for that once the clock is right again.

alter table flowledger.shard add column lease_seconds double precision;
alter table flowledger.coordinator add column lease_seconds double precision;
alter table flowledger.worker add column lease_seconds double precision;
alter table flowledger.projection add column lease_seconds double precision;
alter table flowledger.projection_host add column lease_seconds double precision;

comment on column flowledger.shard.lease_seconds is
    'so long the lease is when it is given, 0 where it was given up; null: nobody knows';
comment on column flowledger.coordinator.lease_seconds is 'as that of flowledger.shard';
comment on column flowledger.worker.lease_seconds is 'as that of flowledger.shard';
comment on column flowledger.projection.lease_seconds is 'as that of flowledger.shard';
comment on column flowledger.projection_host.lease_seconds is 'as that of flowledger.shard';

alter table flowledger.rate add column set_at timestamptz;

comment on column flowledger.rate.set_at is 'when it was last moved, by the time of who did; null: nobody knows';

create table flowledger.clock_put_back (
    one boolean primary key default true check (one),
    noticed_at timestamptz not null,
    reached timestamptz not null
);

comment on table flowledger.clock_put_back is
    'That the engine''s clock was ahead and was put back: when a lease told so, by the right time,'
    ' and how far it had come by then. No row, or one row.';
