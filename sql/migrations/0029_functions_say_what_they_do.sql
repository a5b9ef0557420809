-- Functions whose names said less, or something else, than they do.

do $rename$
declare
    renamed record;
    found regprocedure;
begin
    for renamed in
        select * from (values
            ('flowledger', 'retry_parked', 'request_parked_retry'),
            ('flowledger', 'unpark_tasks', 'delete_parked_tasks'),
            ('flowledger', 'queue_status_of_task', 'queued_and_running_steps'),
            ('flowledger', 'store_slots', 'set_slots_of_steps'),
            ('flowledger', 'guard_projection_row', 'refuse_foreign_projection_change'),
            ('flowledger', 'record_generation_failure', 'record_failed_event'),
            ('flowledger', 'shards_needing_attention', 'unled_or_stuck_shards'),
            ('flowledger_v1', 'slowest_steps_by_template', 'slowest_template_steps'),
            ('flowledger_v1', 'slowest_tasks_by_template', 'slowest_templates')
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
    'functions/coordinator/retry_parked.sql',
    'functions/coordinator/unpark_tasks.sql',
    'functions/explain/queue_status_of_task.sql',
    'functions/limits/store_slots.sql',
    'functions/projections/guard_projection_row.sql',
    'functions/projections/record_generation_failure.sql',
    'functions/shards/shards_needing_attention.sql',
    'v1/functions/slowest_steps_by_template.sql',
    'v1/functions/slowest_tasks_by_template.sql'
);
