-- flowledger.ready_tasks, for everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.ready_tasks(most integer default 5)
returns table (
    task_id uuid, namespace text, template text, priority integer,
    computed_priority double precision, ready_steps bigint, state text
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
    perform flowledger.require_given('most', most is not null);

    return query select * from flowledger.ready_tasks(most);
end
$$;

comment on function flowledger_v1.ready_tasks(integer) is
    'The tasks whose steps are claimed next, at most so many, in the order in which workers meet '
    'them. Only a view: whoever looks at the same time sees the same tasks, and the workers claim '
    'steps by themselves. computed_priority is how many seconds the task''s first step in the '
    'queue has waited, with what its priority is worth.
Example: select task_id, template, ready_steps from flowledger_v1.ready_tasks(20)';
