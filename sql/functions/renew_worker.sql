-- Register a worker or renew its lease; the steps it claimed are its own as long as this is renewed.
-- Returns the engine's time. Locks: the worker's row.

create or replace function flowledger.renew_worker(
    p_worker uuid, p_host text, p_pid integer, p_lease double precision
)
returns timestamptz
language sql
volatile
as $$
    insert into flowledger.worker as w (worker_id, lease_until, started_at, host, pid)
    values (
        p_worker, flowledger.clock() + make_interval(secs => p_lease), flowledger.clock(),
        p_host, p_pid
    )
    on conflict (worker_id) do update set lease_until = excluded.lease_until
    returning flowledger.clock();
$$;
