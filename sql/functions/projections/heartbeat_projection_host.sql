-- Say that a host is there for so long; forgets hosts that are not. Leases that a clock that was
-- ahead has made too long are shortened. Returns the hosts that are there and run the same. Locks:
-- the rows of the hosts and of projections, without waiting for any but its own.
-- drop: function flowledger.heartbeat_projection_host(uuid, text, integer, double precision)

create or replace function flowledger.heartbeat_projection_host(
    p_host uuid, p_name text, p_pid integer, p_lease double precision,
    p_projection_versions text default ''
)
returns setof uuid
language plpgsql
volatile
as $$
begin
    insert into flowledger.projection_host (host_id, lease_until, started_at, host, pid,
        projection_versions, lease_seconds)
    values (
        p_host, flowledger.clock() + make_interval(secs => p_lease), flowledger.clock(), p_name,
        p_pid, p_projection_versions, p_lease
    )
    on conflict (host_id) do update
    set lease_until = excluded.lease_until, lease_seconds = excluded.lease_seconds;

    perform flowledger.shorten_overlong_leases('{projection_host, projection}');

    delete from flowledger.projection_host as h
    where h.host_id in (
        select o.host_id from flowledger.projection_host as o
        where o.lease_until < flowledger.clock()
        for update skip locked
    );

    return query select h.host_id from flowledger.projection_host as h
        where h.projection_versions = p_projection_versions;
end
$$;
