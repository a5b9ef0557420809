-- Who holds a lock that keeps the engine from its work: sessions that others wait for to get at the
-- engine's tables, and sessions that have locked a table of the engine so that nobody may write to
-- it. A session of the engine's own that is at work is none, nor what lasts for less than a second.
-- With the rights of whoever asks, and never waiting itself: of a session that it may not see,
-- since is null.
--
-- By the server's own time, since nothing here is decided by the engine's.

create or replace function flowledger_v1.blocking_sessions()
returns table (
    pid integer, login text, application text, since timestamptz, state text, relation text,
    mode text, waiting bigint, waiting_since timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    with lock as materialized (
        select l.*
        from pg_catalog.pg_locks as l
        where l.database = (select d.oid from pg_database as d where d.datname = current_database())
            or l.database is null
    ),

    ours as (
        select c.oid, n.nspname || '.' || c.relname as name
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'flowledger'
    ),

    waiter as (
        select l.pid, l.waitstart, coalesce(l.relation, t.relation) as relation
        from lock as l
        left join lock as t on t.pid = l.pid and t.locktype = 'tuple' and t.granted
        where not l.granted
    ),

    blocker as (
        select b.pid, w.pid as waiter, w.waitstart, o.name
        from waiter as w
        left join ours as o on o.oid = w.relation
        inner join pg_catalog.pg_stat_activity as a on a.pid = w.pid
            and a.datname = current_database()
        cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid)
        where (o.oid is not null or exists (
            select from lock as h inner join ours as t on t.oid = h.relation
            where h.pid = w.pid and h.granted
        ))
            and w.waitstart < clock_timestamp() - interval '1 second'
    ),

    found as (
        select b.pid, b.name, b.waiter, b.waitstart from blocker as b
        union all
        select l.pid, o.name, null, null
        from lock as l
        inner join ours as o on o.oid = l.relation
        where l.granted and l.mode in (
            'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock',
            case when o.name = 'flowledger.log_lock' then 'ShareUpdateExclusiveLock' end
        )
        union all
        -- Who locked a shard's row and does nothing: whoever is to lead it waits now and then only.
        select l.pid, o.name, null, null
        from lock as l
        inner join ours as o on o.oid = l.relation
        inner join pg_catalog.pg_stat_activity as a on a.pid = l.pid
        where l.granted and o.name = 'flowledger.shard'
            and l.mode in ('RowShareLock', 'RowExclusiveLock')
            and a.state like 'idle in transaction%'
    )

    select
        a.pid, a.usename::text, a.application_name, a.xact_start, a.state,
        min(f.name),
        (
            select string_agg(distinct l.mode, ', ')
            from lock as l
            inner join ours as o on o.oid = l.relation
            where l.pid = a.pid and l.granted and o.name = min(f.name)
        ),
        count(distinct f.waiter), min(f.waitstart)
    from found as f
    inner join pg_catalog.pg_stat_activity as a on a.pid = f.pid
    where a.pid <> pg_backend_pid()
        and coalesce(a.xact_start < clock_timestamp() - interval '1 second', true)
        and not exists (select from waiter as w where w.pid = a.pid)
    group by a.pid, a.usename, a.application_name, a.xact_start, a.state
    having count(f.waiter) > 0 or coalesce(a.xact_start is not null, false)
    order by min(f.waitstart) nulls last, a.xact_start, a.pid;
$$;

comment on function flowledger_v1.blocking_sessions() is
    'Who holds a lock for longer than a second that keeps the engine from its work: sessions that '
    'others wait for to get at its tables (waiting says how many, since waiting_since), and those that '
    'locked one of its tables against writing. since is when the transaction began, null of a session '
    'that who asks may not see; a grant of pg_read_all_stats lets it. relation is null where '
    'nobody knows which is waited for.
Example: select pid, login, application, relation, since from flowledger_v1.blocking_sessions()';
