-- Register a worker or renew its lease; the steps it claimed are its own as long as this is
-- renewed. p_templates are those whose steps it claims, p_places how many it runs at once, p_excluded
-- those whose code it has and that its configuration keeps it from; they are for people to see. Returns the engine's time. Locks: the worker's row.
-- drop: function flowledger.heartbeat_worker(uuid, text, integer, double precision)
-- drop: function flowledger.heartbeat_worker(uuid, text, integer, double precision, uuid[], integer)

create or replace function flowledger.heartbeat_worker(
    p_worker uuid, p_host text, p_pid integer, p_lease double precision,
    p_templates uuid[] default null, p_places integer default null,
    p_excluded uuid[] default null
)
returns timestamptz
language sql
volatile
as $$
    insert into flowledger.worker as w (
        worker_id, lease_until, started_at, host, pid, templates, concurrency, seen_at,
        excluded_templates, lease_seconds
    )
    values (
        p_worker, flowledger.clock() + make_interval(secs => p_lease), flowledger.clock(),
        p_host, p_pid, p_templates, p_places, flowledger.clock(), p_excluded,
        p_lease
    )
    on conflict (worker_id) do update
    set lease_until = excluded.lease_until, lease_seconds = excluded.lease_seconds,
        seen_at = excluded.seen_at
    returning flowledger.clock();
$$;
