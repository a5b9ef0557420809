-- What needs somebody, for everyone. A row is a finding; the command `flowledger health` has words
-- for each.

create or replace function flowledger_v1.health_findings(patience double precision default 60)
returns table (kind text, about text, since timestamptz, details jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select flowledger.require_not_negative('patience', patience::text, patience < 0);

    select
        case when s.led then 'shard_behind' else 'shard_unled' end, s.shard::text,
        flowledger.readable_time(s.since),
        jsonb_build_object(
            'shard', s.shard, 'host', s.host, 'pid', s.pid, 'behind', s.behind,
            'waiting_since', s.waiting_since
        )
    from flowledger.unled_or_stuck_shards(coalesce(patience, 60), flowledger.fact_topics()) as s
    union all
    select
        'shard_missing', string_agg(m.shard::text, ', ' order by m.shard), null::timestamptz,
        jsonb_build_object('shards', jsonb_agg(m.shard order by m.shard))
    from flowledger.missing_shards() as m (shard)
    having count(*) > 0
    union all
    select
        'shard_odd', f.shard::text, null,
        jsonb_build_object(
            'shard', f.shard, 'field', f.field, 'expected', f.expected, 'found', f.found
        )
    from flowledger.shard_row_faults() as f
    union all
    select
        'shard_ahead', s.shard::text, null,
        jsonb_build_object('shard', s.shard, 'position', s.position, 'last', l.position)
    from flowledger.counted_shards() as s
    cross join (
        select coalesce(max(e.notification_id), 0) as position
        from flowledger.event as e
    ) as l
    where s.position > l.position
    union all
    select
        'queue_unserved', coalesce(q.namespace || '/' || q.name || '@' || q.version,
        q.template_id::text),
        flowledger.readable_time(q.since),
        jsonb_build_object(
            'template_id', q.template_id, 'namespace', q.namespace, 'template', q.name,
            'version', q.version, 'steps', q.steps
        )
    from flowledger.queued_steps_without_worker() as q
    union all
    select
        case when k.taken_on then 'tasks_parked' else 'submissions_parked' end, k.first_task::text,
        flowledger.readable_time(k.since),
        jsonb_build_object('tasks', k.tasks, 'task', k.first_task, 'reason', k.first_reason)
    from flowledger.parked_tasks_summary() as k
    union all
    select
        case p.standing
            when 'paused' then 'projection_paused'
            when 'event_failed' then 'projection_failing'
            when 'no_host' then 'projection_unled'
            when 'parked' then 'events_parked'
            when 'code_changed' then 'projection_code_changed'
            else 'projection_stalled'
        end,
        p.name, flowledger.readable_time(p.since),
        jsonb_build_object(
            'generation', p.generation, 'state', p.state, 'behind', p.behind,
            'position', p.failed_position, 'error', p.failure, 'failures', p.failures,
            'parked', p.parked, 'version', p.version
        )
    from flowledger.projections_needing_attention(coalesce(patience, 60)) as p
    union all
    select
        'projection_missing', m.name, flowledger.readable_time(m.since),
        jsonb_build_object('host', m.host, 'pid', m.pid)
    from flowledger.projections_without_tables() as m
    union all
    select
        'clock_shifted', null, null,
        jsonb_build_object('seconds', extract(epoch from o.shift)::double precision)
    from flowledger.clock_offset as o
    where o.shift <> interval '0'
    union all
    select
        'leases_ahead', null, null,
        jsonb_build_object(
            'leases', jsonb_object_agg(l.kind, l.leases), 'seconds', max(l.seconds)
        )
    from flowledger.overlong_leases() as l
    having count(*) > 0
    union all
    select
        'clock_put_back', null, flowledger.readable_time(c.noticed_at),
        jsonb_build_object(
            'seconds', extract(epoch from c.reached - flowledger.clock())::double precision,
            'timers', t.timers
        )
    from flowledger.clock_put_back as c
    cross join lateral (select flowledger.timers_set_ahead(1000) as timers offset 0) as t
    where t.timers > 0
        and c.reached > flowledger.clock()
        and c.reached < flowledger.clock() + interval '100 years'
    union all
    select
        'connections_short', null, null,
        jsonb_build_object('used', c.used, 'most', c.most)
    from (
        select
            (
                select count(*) from pg_stat_activity as a
                where a.backend_type = 'client backend'
            ) as used,
            current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer
            - current_setting('reserved_connections')::integer as most
    ) as c
    where c.most - c.used < c.most / 20.0;
$$;

comment on function flowledger_v1.health_findings(double precision) is
    'What needs somebody, a row each; none where all is well. kind is shard_unled (no coordinator '
    'leads the shard), shard_missing (its row is gone), shard_odd (its row is of no shard, or '
    'says another number of shards), shard_ahead (it stands beyond the end of the '
    'log), shard_behind (its events wait for longer than the patience, in seconds), '
    'queue_unserved (steps are queued that no live worker claims), tasks_parked, submissions_parked '
    '(no coordinator could take these on), projection_paused, projection_failing, '
    'projection_unled, projection_stalled, projection_code_changed (a process has other code than '
    'that it was built with, of the same version), projection_missing (a process has its code, and the '
    'database refuses its tables), events_parked, clock_shifted (a test has moved the '
    'engine''s clock), leases_ahead (leases end later than they can have been given for: the server''s '
    'clock was ahead), clock_put_back (it was, and timers that were set then are open and due as much later), '
    'or connections_short (less than a twentieth of the connections that the '
    'server gives to ordinary logins is free). about names the shard, template, task or projection; since is null where '
    'nobody knows. Sessions that hold back vacuum are told by vacuum_holders.
Example: select kind, about, since from flowledger_v1.health_findings() order by since';
