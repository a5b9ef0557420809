-- End the sessions that are in the middle of a batch of a generation, for who leads it in p_epoch:
-- a host that was stopped, or cut off from here, would hold its rows' locks for as long as it
-- likes. Such a session has written to the generation's tables; one that has not yet holds up
-- nobody, and cannot move the position. Every batch begins with a row share lock of the table
-- projection: sessions of people who lock or change the tables have none, and go on. Returns how
-- many were ended; not those of other users whose sessions the caller may not end.

create or replace function flowledger.terminate_stale_batches(p_name text, p_generation integer,
p_epoch bigint)
returns bigint
language sql
volatile
as $$
    select count(pg_terminate_backend(a.pid))
    from flowledger.projection as p
    cross join pg_stat_activity as a
    where p.name = p_name and p.generation = p_generation and p.epoch = p_epoch
        and a.datname = current_database() and a.pid <> pg_backend_pid()
        and pg_has_role(a.usesysid, 'usage')
        and exists (
            select from pg_locks as l
            join pg_class as c on c.oid = l.relation
            where l.pid = a.pid and l.granted
                and l.database = (select d.oid from pg_database as d
                    where d.datname = current_database())
                and l.mode in ('RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                and c.relnamespace = to_regnamespace(quote_ident(p_name || '__' || p_generation))
        )
        and exists (
            select from pg_locks as l
            where l.pid = a.pid and l.granted and l.mode = 'RowShareLock'
                and l.relation = 'flowledger.projection'::regclass
                and l.database = (select d.oid from pg_database as d
                    where d.datname = current_database())
        );
$$;
