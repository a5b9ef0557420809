-- drop: function flowledger_v1.system_health()
-- flowledger.system_health, for everyone, with the settings of the engine's own connections.
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
    workers_live bigint, workers_isolated bigint, workers_worn_out bigint,
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
begin
    return query select * from flowledger.system_health();
end
$$;

comment on function flowledger_v1.system_health() is
    'How the engine is as a whole, in one row; it costs the same whatever the number of tasks. '
    'States are counted as the coordinators know them: enqueued_steps is how deep the queue is, '
    'in_progress_steps how many steps run, pending_steps all that are not queued, those of ended '
    'tasks included. Of waiting_for_retry_steps, the time has come for retry_due_steps, and '
    'backoff_steps still wait for it. first_wait_seconds is how long the step that is '
    'claimed next has been in the queue; null where none is. held_by_* are ready steps that a limit, a '
    'circuit or a paused template keeps back. facts_behind is how many events the coordinators '
    'have still to decide on. What is due or behind is counted up to 1000, of each shard. '
    'parked_tasks are those that the coordinators leave alone, see the view of that name.
Example: select in_progress_tasks, enqueued_steps, in_progress_steps, facts_behind from flowledger_v1.system_health()';
