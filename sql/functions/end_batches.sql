-- End the sessions that are in the middle of a batch of a generation, for who leads it in p_epoch:
-- a host that was stopped, or cut off from here, would hold its rows' locks for as long as it likes.
-- Returns how many were ended; not those of other users whose sessions the caller may not end.

create or replace function flowledger.end_batches(p_name text, p_generation integer, p_epoch bigint)
returns bigint
language sql
volatile
as $$
    select count(pg_terminate_backend(l.pid))
    from flowledger.projection as p
    cross join pg_locks as l
    join pg_stat_activity as a on a.pid = l.pid
    where p.name = p_name and p.generation = p_generation and p.epoch = p_epoch
        and l.locktype = 'advisory' and l.objsubid = 2
        and l.classid = hashtext('flowledger.batch')::oid
        and l.objid = hashtext(p_name || '__' || p_generation)::oid
        and a.datname = current_database() and a.pid <> pg_backend_pid()
        and pg_has_role(a.usesysid, 'usage');
$$;
