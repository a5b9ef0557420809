-- Functions whose names said less, or something else, than they do.

do $rename$
declare
    renamed record;
    found regprocedure;
begin
    for renamed in
        select * from (values
            ('count_steps', 'add_step_counts'),
            ('count_tasks', 'add_task_counts'),
            ('early_steps', 'steps_ended_before_dependencies'),
            ('last_safe_position', 'position_before_next_fact'),
            ('parked_now', 'parked_task_details'),
            ('recount', 'recount_states'),
            ('step_states', 'step_state_names'),
            ('task_states', 'task_state_names'),
            ('try_parked', 'retry_parked_tasks_of_shard'),
            ('unclaimed_steps_of', 'steps_to_withdraw'),
            ('wanted_tasks', 'parked_tasks_asked_to_retry'),
            ('lagging_projections', 'projections_behind_position'),
            ('queue_status', 'queue_status_of_task'),
            ('shard_status', 'shard_status_of_task'),
            ('worker_status', 'workers_for_template'),
            ('acquire_slots', 'increment_slot_count'),
            ('load_limits', 'load_limit_state'),
            ('older_waiters', 'waiters_of_other_shards'),
            ('release_slots', 'decrement_slot_count'),
            ('store_limits', 'store_limit_changes'),
            ('as_of', 'projection_freshness'),
            ('engine_events', 'events_without_task'),
            ('is_registered', 'template_is_registered'),
            ('not_before', 'payload_not_before_previous'),
            ('stream_events', 'read_streams'),
            ('task_events_for_fold', 'decided_task_events'),
            ('time_of', 'payload_occurred_at'),
            ('aside_of', 'skipped_event_positions'),
            ('generation_role', 'generation_writer_role'),
            ('parked_of', 'unresolved_parked_events'),
            ('parked_tasks_told', 'parked_tasks_summary'),
            ('request_task_rebuild', 'request_tasks_rebuild'),
            ('resolve_parked', 'record_parked_outcomes'),
            ('unattended_projections', 'projections_needing_attention'),
            ('require_given', 'require_not_null'),
            ('task_summary_words', 'task_status_from_counts'),
            ('open_to_roles', 'reapply_role_grants'),
            ('role_grants', 'role_grant_statements'),
            ('renew_shards', 'renew_shard_leases'),
            ('unattended_shards', 'shards_needing_attention'),
            ('task_progress', 'step_counts_of_task'),
            ('log_faults', 'log_guard_faults'),
            ('oust_leaders', 'bump_shard_epochs'),
            ('repair_positions', 'repair_shard_positions'),
            ('check_claims', 'heartbeat_claims'),
            ('superseded_claims', 'already_started_claims'),
            ('require_steps', 'require_known_steps'),
            ('require_tasks', 'require_known_tasks'),
            ('require_template', 'require_known_template'),
            ('remove_strays', 'remove_orphan_rows')
        ) as t (old, new)
    loop
        for found in
            select p.oid from pg_proc as p
            where p.pronamespace = 'flowledger'::regnamespace and p.proname = renamed.old
        loop
            execute format('alter function %s rename to %I', found, renamed.new);
        end loop;
    end loop;
    if to_regproc('flowledger_v1.as_of') is not null then
        alter function flowledger_v1.as_of rename to projection_freshness;
    end if;
end
$rename$;

-- These are applied anew under the paths that they have now.
delete from flowledger.applied_file
where path in (
    'v1/functions/as_of.sql',
    'functions/readiness/require_steps.sql',
    'functions/readiness/require_tasks.sql',
    'functions/readiness/require_template.sql',
    'functions/verify/remove_strays.sql',
    'functions/coordinator/count_steps.sql',
    'functions/coordinator/count_tasks.sql',
    'functions/coordinator/early_steps.sql',
    'functions/coordinator/last_safe_position.sql',
    'functions/coordinator/parked_now.sql',
    'functions/coordinator/recount.sql',
    'functions/coordinator/step_states.sql',
    'functions/coordinator/task_states.sql',
    'functions/coordinator/try_parked.sql',
    'functions/coordinator/unclaimed_steps_of.sql',
    'functions/coordinator/wanted_tasks.sql',
    'functions/explain/lagging_projections.sql',
    'functions/explain/queue_status.sql',
    'functions/explain/shard_status.sql',
    'functions/explain/worker_status.sql',
    'functions/limits/acquire_slots.sql',
    'functions/limits/load_limits.sql',
    'functions/limits/older_waiters.sql',
    'functions/limits/release_slots.sql',
    'functions/limits/store_limits.sql',
    'functions/log/as_of.sql',
    'functions/log/engine_events.sql',
    'functions/log/is_registered.sql',
    'functions/log/not_before.sql',
    'functions/log/stream_events.sql',
    'functions/log/task_events_for_fold.sql',
    'functions/log/time_of.sql',
    'functions/projections/aside_of.sql',
    'functions/projections/generation_role.sql',
    'functions/projections/parked_of.sql',
    'functions/projections/parked_tasks_told.sql',
    'functions/projections/request_task_rebuild.sql',
    'functions/projections/resolve_parked.sql',
    'functions/projections/unattended_projections.sql',
    'functions/readiness/require_given.sql',
    'functions/readiness/task_summary_words.sql',
    'functions/reference/close_to_public.sql',
    'functions/reference/grant_to_reader.sql',
    'functions/reference/open_schema.sql',
    'functions/reference/open_to_roles.sql',
    'functions/reference/role_grants.sql',
    'functions/shards/renew_shards.sql',
    'functions/shards/unattended_shards.sql',
    'functions/tasks/task_progress.sql',
    'functions/verify/log_faults.sql',
    'functions/verify/oust_leaders.sql',
    'functions/verify/repair_positions.sql',
    'functions/worker/check_claims.sql',
    'functions/worker/superseded_claims.sql'
);
