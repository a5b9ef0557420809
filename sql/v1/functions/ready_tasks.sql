-- The tasks whose steps are claimed next: at most so many tasks with claimable steps, in the order
-- in which workers meet them. Only a view: nothing is locked, and whoever looks at the same time
-- sees the same tasks; steps are given out by claim_steps.
--
-- The queue is in the order of sort keys: the time of the task's submission less what its priority
-- is worth, so that what was begun first ends first. computed_priority says the same the other way
-- round: the age of the task in seconds, and what its priority is worth.
--
-- Read from the front of the index of claimable steps until enough tasks are found, and never
-- further than 10 000 steps. The settings keep the planner to that index, and from planning for
-- each task anew: it takes the range of a task's ids for a large part of the queue where it does
-- not know them.
--
-- For everyone, with the settings of the engine's own connections.

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
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now constant double precision := extract(epoch from flowledger.clock());
    v_found uuid[] := '{}';
    r record;
begin
    perform flowledger.require_not_null('most', ready_tasks.most is not null);
    perform flowledger.require_not_negative('most', ready_tasks.most::text, ready_tasks.most < 0);

    for r in
        select q.task_id, q.sort_key
        from flowledger.queue as q
        where q.worker_id is null
        order by q.sort_key, q.queued
        limit 10000
    loop
        exit when cardinality(v_found) >= ready_tasks.most;
        continue when r.task_id = any (v_found);
        v_found := array_append(v_found, r.task_id);

        return query
        select t.task_id, t.namespace, t.template, t.priority, v_now - r.sort_key, c.steps, t.state
        from flowledger.task as t
        cross join lateral (
            select count(*) as steps
            from flowledger.queue as q
            where q.step_id
                between flowledger.step_id_lower_bound(r.task_id)
                and flowledger.step_id_upper_bound(r.task_id)
            and q.task_id = r.task_id and q.worker_id is null
        ) as c
        where t.task_id = r.task_id;
    end loop;
end
$$;

comment on function flowledger_v1.ready_tasks(integer) is
    'The tasks whose steps are claimed next, at most so many, in the order in which workers meet '
    'them. Only a view: whoever looks at the same time sees the same tasks, and the workers claim '
    'steps by themselves. computed_priority is the age of the task in seconds, with what its '
    'priority is worth.
Example: select task_id, template, ready_steps from flowledger_v1.ready_tasks(20)';
