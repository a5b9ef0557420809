-- The tasks whose steps are claimed next: at most so many tasks with claimable steps, in the order
-- in which workers meet them. Only a view: nothing is locked, and whoever looks at the same time
-- sees the same tasks; steps are given out by claim_steps.
--
-- The queue is in the order of sort keys: the time of the task's submission less what its priority
-- is worth, so that what was begun first ends first. computed_priority says the same the other way
-- round: the age of the task in seconds, and what its priority is worth.
--
-- Read from the front of the lanes of the queue, further and further until enough tasks are found,
-- and never more than 10 000 steps of each. The settings keep the planner to the index of claimable
-- steps, and from planning for each task anew: it takes the range of a task's ids for a large part
-- of the queue where it does not know them.
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
set jit = off
as $$
#variable_conflict use_column
declare
    v_now constant double precision := extract(epoch from flowledger.clock());
    v_look integer := least(10000, greatest(1, ready_tasks.most));
    v_found uuid[] := '{}';
begin
    perform flowledger.require_not_null('most', ready_tasks.most is not null);
    perform flowledger.require_not_negative('most', ready_tasks.most::text, ready_tasks.most < 0);

    loop
        select coalesce(array_agg(f.task_id order by f.first), '{}') into v_found
        from (
            select q.task_id, min(q.n) as first
            from (
                select c.task_id, row_number() over () as n
                from flowledger.first_claimable_steps(v_look) as c
            ) as q
            group by q.task_id
            order by min(q.n)
            limit ready_tasks.most
        ) as f;

        exit when cardinality(v_found) >= ready_tasks.most or v_look >= 10000;
        v_look := least(10000, 2 * v_look);
    end loop;

    return query
    select
        t.task_id, t.namespace, t.template, t.priority, v_now - c.sort_key, c.steps, t.state
    from unnest(v_found) with ordinality as f (task_id, n)
    join flowledger.task as t on t.task_id = f.task_id
    cross join lateral (
        select count(*) as steps, min(q.sort_key) as sort_key
        from flowledger.queue as q
        where q.step_id
            between flowledger.step_id_lower_bound(f.task_id)
            and flowledger.step_id_upper_bound(f.task_id)
        and q.task_id = f.task_id and q.worker_id is null
    ) as c
    order by f.n;
end
$$;

comment on function flowledger_v1.ready_tasks(integer) is
    'The tasks whose steps are claimed next, at most so many, in the order in which workers meet '
    'them. Only a view: whoever looks at the same time sees the same tasks, and the workers claim '
    'steps by themselves. computed_priority is the age of the task in seconds, with what its '
    'priority is worth.
Example: select task_id, template, ready_steps from flowledger_v1.ready_tasks(20)';
