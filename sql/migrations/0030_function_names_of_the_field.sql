-- Functions whose names said less, or something else, than they do.

do $rename$
declare
    renamed record;
    found regprocedure;
begin
    for renamed in
        select * from (values
            ('flowledger', 'open_schema', 'grant_read_on_projection_schema'),
            ('flowledger', 'add_step_counts', 'add_shard_step_counts'),
            ('flowledger', 'add_task_counts', 'add_shard_task_counts'),
            ('flowledger', 'step_state_names', 'ordered_step_states'),
            ('flowledger', 'task_state_names', 'ordered_task_states'),
            ('flowledger', 'unserved_queue', 'queued_steps_without_worker'),
            ('flowledger', 'move_rates_back', 'correct_rates_after_clock_set_back'),
            ('flowledger', 'rate_next_at', 'theoretical_arrival_times'),
            ('flowledger', 'store_limit_changes', 'store_limit_state'),
            ('flowledger', 'last_checkpoints', 'last_checkpoints_of_steps'),
            ('flowledger', 'record_clock_move', 'record_clock_offset_change'),
            ('flowledger', 'refuse_changed_role', 'refuse_session_role_switch'),
            ('flowledger', 'refuse_foreign_projection_change', 'restrict_projection_changes_by_non_owner'),
            ('flowledger', 'skipped_event_positions', 'unapplied_event_positions'),
            ('flowledger', 'task_rebuild_state', 'task_rebuild_request_status'),
            ('flowledger', 'task_status_from_counts', 'execution_status_from_counts'),
            ('flowledger', 'bump_shard_epochs', 'make_shard_leaders_reload'),
            ('flowledger', 'lease_holds', 'lease_is_unexpired'),
            ('flowledger', 'leases_ahead', 'overlong_leases'),
            ('flowledger', 'shorten_leases', 'shorten_overlong_leases'),
            ('flowledger', 'submitted_tasks', 'submitted_tasks_without_row'),
            ('flowledger', 'unserved_templates', 'templates_without_worker'),
            ('flowledger', 'events_in_task_ranges', 'events_in_id_ranges_of_tasks'),
            ('flowledger', 'grant_faults', 'excess_grants'),
            ('flowledger', 'log_guard_faults', 'log_and_trigger_faults'),
            ('flowledger', 'heartbeat_claims', 'check_claims_and_record_heartbeats'),
            ('flowledger_v1', 'lock_holders', 'blocking_sessions')
        ) as t (schema, old, new)
    loop
        for found in
            select p.oid from pg_proc as p
            where p.pronamespace = to_regnamespace(renamed.schema) and p.proname = renamed.old
        loop
            execute format('alter function %s rename to %I', found, renamed.new);
        end loop;
    end loop;
end
$rename$;

-- These are applied anew under the paths that they have now.
delete from flowledger.applied_file
where path in (
    'functions/access/open_schema.sql',
    'functions/coordinator/add_step_counts.sql',
    'functions/coordinator/add_task_counts.sql',
    'functions/coordinator/step_state_names.sql',
    'functions/coordinator/task_state_names.sql',
    'functions/coordinator/unserved_queue.sql',
    'functions/limits/move_rates_back.sql',
    'functions/limits/rate_next_at.sql',
    'functions/limits/store_limit_changes.sql',
    'functions/log/last_checkpoints.sql',
    'functions/log/record_clock_move.sql',
    'functions/projections/refuse_changed_role.sql',
    'functions/projections/refuse_foreign_projection_change.sql',
    'functions/projections/skipped_event_positions.sql',
    'functions/projections/task_rebuild_state.sql',
    'functions/readiness/task_status_from_counts.sql',
    'functions/shards/bump_shard_epochs.sql',
    'functions/shards/lease_holds.sql',
    'functions/shards/leases_ahead.sql',
    'functions/shards/shorten_leases.sql',
    'functions/tasks/submitted_tasks.sql',
    'functions/templates/unserved_templates.sql',
    'functions/verify/events_in_task_ranges.sql',
    'functions/verify/grant_faults.sql',
    'functions/verify/log_guard_faults.sql',
    'functions/worker/heartbeat_claims.sql',
    'v1/functions/lock_holders.sql'
);
