-- Who keeps dead rows from being taken away: transactions that have been open for longer than the
-- patience, in seconds; prepared transactions as old; replication slots that nobody uses, or that
-- are far behind. Only what concerns the tables of this database. With the rights of whoever asks:
-- the sessions of which it may not see what they do are counted by their login, and their kind is
-- hidden.
--
-- By the server's own time, since nothing here is decided by the engine's.

create or replace function flowledger_v1.vacuum_holders(patience double precision default 60)
returns table (
    kind text, name text, pid integer, login text, application text, since timestamptz,
    state text, transactions bigint, sessions bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select
        'session', null::text, a.pid, a.usename::text, a.application_name, a.xact_start, a.state,
        greatest(age(a.backend_xmin), age(a.backend_xid))::bigint, 1::bigint
    from pg_catalog.pg_stat_activity as a
    where a.datname = current_database()
        and a.backend_type <> 'autovacuum worker'
        and a.pid <> pg_backend_pid()
        and (a.backend_xmin is not null or a.backend_xid is not null)
        and a.xact_start
            < clock_timestamp() - make_interval(secs => least(coalesce(patience, 60), 2e11))
    union all
    select 'hidden', null, null, a.usename::text, null, null, null, null, count(*)
    from pg_catalog.pg_stat_activity as a
    where a.datname = current_database()
        and not pg_has_role(a.usesysid, 'usage')
        and not pg_has_role('pg_read_all_stats', 'usage')
    group by a.usename
    union all
    select
        'prepared', p.gid, null, p.owner::text, null, p.prepared, 'prepared',
        age(p.transaction)::bigint, 0
    from pg_catalog.pg_prepared_xacts as p
    where p.database = current_database()
        and p.prepared
            < clock_timestamp() - make_interval(secs => least(coalesce(patience, 60), 2e11))
    union all
    select
        'slot', r.slot_name::text, r.active_pid, null, r.plugin::text, null,
        case when r.active then 'active' else 'unused' end,
        greatest(age(r.xmin), age(r.catalog_xmin))::bigint, 0
    from pg_catalog.pg_replication_slots as r
    where (r.xmin is not null or r.catalog_xmin is not null)
        and (not r.active or greatest(age(r.xmin), age(r.catalog_xmin)) > 1000000)
    order by 6 nulls last, 1, 2, 3;
$$;

comment on function flowledger_v1.vacuum_holders(double precision) is
    'Who holds back vacuum, so that claims walk over more and more dead rows: kind is session (a '
    'transaction that is open for longer than the patience, in seconds), prepared (a prepared '
    'transaction as old), slot (a replication slot that nobody uses, or that is far behind), or '
    'hidden: so many sessions of another login, of which who asks may not see what they do; a grant '
    'of pg_read_all_stats lets it. transactions is how many were begun since. since is null where '
    'the server does not know.
Example: select kind, login, pid, since from flowledger_v1.vacuum_holders() order by since';
