-- How the engine is as a whole, in one row. Reads counters, and of the tables only what is due,
-- held or alive, so that it costs the same whatever the number of tasks. What is behind or due is
-- counted up to 1000, of each shard.
--
-- For everyone, with the settings of the engine's own connections.
-- drop: function flowledger_v1.system_health()

create or replace function flowledger_v1.system_health()
returns table (
    submitted_tasks bigint, pending_tasks bigint, in_progress_tasks bigint, waiting_tasks bigint,
    blocked_tasks bigint, complete_tasks bigint, error_tasks bigint, cancelled_tasks bigint,
    resolved_manually_tasks bigint, paused_tasks bigint, total_tasks bigint,
    pending_steps bigint, enqueued_steps bigint, in_progress_steps bigint,
    waiting_for_retry_steps bigint, complete_steps bigint, error_steps bigint,
    cancelled_steps bigint, resolved_manually_steps bigint, skipped_steps bigint,
    total_steps bigint,
    retry_due_steps bigint, backoff_steps bigint, first_wait_seconds double precision,
    waiting_for_slot bigint, waiting_for_rate bigint, waiting_for_circuit bigint,
    waiting_for_template bigint,
    workers_live bigint, workers_isolated bigint, workers_stuck bigint,
    coordinators_live bigint, shards bigint, shards_led bigint, facts_behind bigint,
    circuits_open bigint, circuits_half_open bigint, connections bigint, max_connections integer,
    parked_tasks bigint
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := flowledger.clock();
begin
    return query
    with
    state_counts as (
        select
            sum(t.tasks_pending)::bigint as tasks_pending,
            sum(t.tasks_in_progress)::bigint as tasks_in_progress,
            sum(t.tasks_waiting)::bigint as tasks_waiting,
            sum(t.tasks_blocked)::bigint as tasks_blocked,
            sum(t.tasks_complete)::bigint as tasks_complete,
            sum(t.tasks_error)::bigint as tasks_error,
            sum(t.tasks_cancelled)::bigint as tasks_cancelled,
            sum(t.tasks_resolved_manually)::bigint as tasks_resolved_manually,
            sum(t.tasks_paused)::bigint as tasks_paused,
            sum(t.steps_of_tasks)::bigint as steps_of_tasks,
            sum(t.steps_enqueued)::bigint as steps_enqueued,
            sum(t.steps_in_progress)::bigint as steps_in_progress,
            sum(t.steps_waiting_for_retry)::bigint as steps_waiting_for_retry,
            sum(t.steps_complete)::bigint as steps_complete,
            sum(t.steps_error)::bigint as steps_error,
            sum(t.steps_cancelled)::bigint as steps_cancelled,
            sum(t.steps_resolved_manually)::bigint as steps_resolved_manually,
            sum(t.steps_skipped)::bigint as steps_skipped
        from flowledger.state_count as t
    ),

    due as (
        select count(*) as retries
        from (
            select from flowledger.step as s
            where s.due_at <= v_now
            limit 1000
        ) as s
    ),

    held as (
        select
            count(*) filter (where h.kind = 'slot') as by_slot,
            count(*) filter (where h.kind = 'rate') as by_rate,
            count(*) filter (where h.kind = 'circuit') as by_circuit,
            count(*) filter (where h.kind = 'template') as by_template
        from flowledger.waiting_step as h
    ),

    worker as (
        select
            count(*) as live,
            count(*) filter (where w.condition = 'isolated') as isolated,
            count(*) filter (where w.condition = 'stuck') as stuck
        from flowledger.worker as w
        where flowledger.lease_is_unexpired(w.lease_until, w.lease_seconds)
    ),

    shard as (
        select
            count(*) as shards,
            count(*) filter (
                where flowledger.shard_is_led(s.leader, s.lease_until, s.lease_seconds)
            ) as led,
            sum((
                select count(*)
                from flowledger.facts_of_shard(s.shard, s.shards, flowledger.undecided_from(s.shard), 1000,
                    flowledger.fact_topics())
            ))::bigint as behind
        from flowledger.counted_shards() as s
    ),

    circuit as (
        select
            count(*) filter (where c.state = 'open') as opened,
            count(*) filter (where c.state = 'half_open') as half_opened
        from flowledger.circuit as c
    )

    select
        (select count(*) from flowledger.submission)
        + (
            select count(*)
            from (
                select
                from flowledger.event as e
                where e.notification_id > (
                    select min(flowledger.undecided_from(p.shard)) from flowledger.counted_shards() as p
                )
                    and e.topic = 'task.created'
                    and not exists (
                        select from flowledger.task as n where n.task_id = e.originator_id
                    )
                limit 1000
            ) as unmet
        ),
        t.tasks_pending, t.tasks_in_progress, t.tasks_waiting, t.tasks_blocked, t.tasks_complete,
        t.tasks_error, t.tasks_cancelled, t.tasks_resolved_manually, t.tasks_paused,
        t.tasks_pending + t.tasks_in_progress + t.tasks_waiting + t.tasks_blocked + t.tasks_complete
        + t.tasks_error + t.tasks_cancelled + t.tasks_resolved_manually,
        t.steps_of_tasks - t.steps_enqueued - t.steps_in_progress - t.steps_waiting_for_retry
        - t.steps_complete - t.steps_error - t.steps_cancelled - t.steps_resolved_manually
        - t.steps_skipped,
        t.steps_enqueued, t.steps_in_progress, t.steps_waiting_for_retry, t.steps_complete,
        t.steps_error, t.steps_cancelled, t.steps_resolved_manually, t.steps_skipped,
        t.steps_of_tasks,
        d.retries, greatest(t.steps_waiting_for_retry - d.retries, 0),
        (
            select extract(epoch from v_now)::float8 - flowledger.payload_occurred_at(e.state, e.encoding) / 1e6
            from (
                select q.step_id, q.stream_version
                from flowledger.first_claimable_steps(1) as q
            ) as f
            left join flowledger.event as e
                on e.originator_id = f.step_id and e.originator_version = f.stream_version
        ),
        h.by_slot, h.by_rate, h.by_circuit, h.by_template,
        w.live, w.isolated, w.stuck,
        (select count(*) from flowledger.live_coordinators()),
        s.shards, s.led, s.behind, c.opened, c.half_opened,
        (select sum(pg_stat_get_db_numbackends(b.oid))::bigint from pg_database as b),
        current_setting('max_connections')::integer,
        (select count(*) from flowledger.parked_task)
    from state_counts as t, due as d, held as h, worker as w, shard as s, circuit as c;
end
$$;

comment on function flowledger_v1.system_health() is
    'How the engine is as a whole, in one row; it costs the same whatever the number of tasks. '
    'States are counted as the coordinators know them: enqueued_steps is how deep the queue is, '
    'in_progress_steps how many steps run, pending_steps all that are not queued, those of ended '
    'tasks included. Of waiting_for_retry_steps, the time has come for retry_due_steps, and '
    'backoff_steps still wait for it. first_wait_seconds is how long the step that is '
    'claimed next has been in the queue; null where none is. waiting_for_* are ready steps that a '
    'limit, a circuit or a paused template keeps back. facts_behind is how many events the coordinators '
    'have still to decide on. What is due or behind is counted up to 1000, of each shard. '
    'parked_tasks are those that the coordinators leave alone, see the view of that name.
Example: select in_progress_tasks, enqueued_steps, in_progress_steps, facts_behind from flowledger_v1.system_health()';
