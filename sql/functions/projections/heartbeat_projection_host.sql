-- Say that a host is there for so long; forgets hosts that are not. Returns the hosts that are and
-- run the same. Locks: the rows of the hosts.
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
        projection_versions)
    values (
        p_host, flowledger.clock() + make_interval(secs => p_lease), flowledger.clock(), p_name,
        p_pid, p_projection_versions
    )
    on conflict (host_id) do update set lease_until = excluded.lease_until;

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
