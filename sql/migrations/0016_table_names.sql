-- Tables and columns have the names of the field, and their rows stay.

alter table flowledger.held_step rename to waiting_step;
alter table flowledger.waiting_step rename column turn to sort_key;
alter table flowledger.waiting_step rename constraint held_step_pkey to waiting_step_pkey;
alter table flowledger.waiting_step
    rename constraint held_step_kind_check to waiting_step_kind_check;
alter index flowledger.held_step_task rename to waiting_step_task;
alter index flowledger.held_step_key rename to waiting_step_key;
comment on table flowledger.waiting_step is
    'Steps that are ready and were not admitted to the queue. kind and limit_key are what the step'
    ' waited for when it was last asked about; demand is all that it must be granted.';

alter table flowledger.slot_key rename to slot_count;
alter table flowledger.slot_count rename constraint slot_key_pkey to slot_count_pkey;
alter table flowledger.slot_count
    rename constraint slot_key_in_use_check to slot_count_in_use_check;

alter table flowledger.tally rename to state_count;
alter table flowledger.state_count rename constraint tally_pkey to state_count_pkey;

alter table flowledger.queue rename column turn to sort_key;
alter table flowledger.queue rename column alone to exclusive;
alter table flowledger.queue rename column beaten_at to heartbeat_at;
alter table flowledger.queue rename column details to heartbeat_details;
alter index flowledger.queue_alone rename to queue_exclusive;

alter table flowledger.worker rename column places to concurrency;
alter table flowledger.worker drop constraint worker_condition_check;
update flowledger.worker set condition = 'saturated' where condition = 'worn_out';
alter table flowledger.worker add constraint worker_condition_check
    check (condition in ('ready', 'isolated', 'saturated'));
comment on column flowledger.worker.condition is
    'isolated: it takes only exclusive steps; saturated: it claims nothing any more, since too many'
    ' abandoned handlers take its places';

alter table flowledger.template_step rename column stoppers to blocking_dependencies;

alter table flowledger.projection rename column silent_until to no_effects_until;
alter table flowledger.projection_host rename column runs to projection_versions;
alter table flowledger.parked_event rename column wanted to requested_action;
alter table flowledger.parked_event
    rename constraint parked_event_wanted_check to parked_event_requested_action_check;
comment on table flowledger.parked_event is
    'Events that a projection put aside, in the order of the log. requested_action is what an'
    ' operator asked; what was dropped stays here, as its rows miss it.';

-- Views and functions with other columns or arguments are made anew.
drop view if exists flowledger_v1.held_steps;
drop view if exists flowledger_v1.limits;
drop view if exists flowledger_v1.queue;
drop view if exists flowledger_v1.workers;

do $drop$
declare
    found regprocedure;
begin
    for found in
        select p.oid
        from (values
            ('flowledger', 'acquire_generation_lease'),
            ('flowledger', 'heartbeat_projection_host'),
            ('flowledger', 'older_waiters'),
            ('flowledger', 'parked_events'),
            ('flowledger', 'parked_of'),
            ('flowledger', 'queue_status'),
            ('flowledger', 'request_parked_action'),
            ('flowledger', 'set_worker_saturated'),
            ('flowledger', 'system_health'),
            ('flowledger', 'task_execution_context'),
            ('flowledger', 'task_execution_contexts'),
            ('flowledger', 'worker_status'),
            ('flowledger_v1', 'system_health'),
            ('flowledger_v1', 'task_execution_context'),
            ('flowledger_v1', 'task_execution_contexts')
        ) as t (schema, name)
        join pg_namespace as n on n.nspname = t.schema
        join pg_proc as p on p.pronamespace = n.oid and p.proname = t.name
    loop
        execute format('drop function %s', found);
    end loop;
end
$drop$;
