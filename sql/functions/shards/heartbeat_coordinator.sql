-- Register a coordinator process or renew its lease, and forget those whose lease has run out.
-- Leases that a clock that was ahead has made too long are shortened, and those of shards whose
-- leader is not registered. Returns the engine's time.
-- Locks: rows of coordinators, shards and workers, without waiting for any but its own.

create or replace function flowledger.heartbeat_coordinator(
    p_coordinator uuid, p_host text, p_pid integer, p_lease double precision
)
returns timestamptz
language sql
volatile
as $$
    insert into flowledger.coordinator as c (
        coordinator_id, lease_until, started_at, host, pid, lease_seconds
    )
    values (
        p_coordinator, flowledger.clock() + make_interval(secs => p_lease), flowledger.clock(),
        p_host, p_pid, p_lease
    )
    on conflict (coordinator_id) do update
    set lease_until = excluded.lease_until, lease_seconds = excluded.lease_seconds;

    select flowledger.shorten_overlong_leases('{coordinator, shard, worker}');

    delete from flowledger.coordinator
    where coordinator_id in (
        select c.coordinator_id
        from flowledger.coordinator as c
        where c.lease_until < flowledger.clock()
        for update skip locked
    );

    select flowledger.shorten_unheld_shard_leases();

    select flowledger.clock();
$$;
