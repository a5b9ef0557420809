-- Counters that differ from what they count: slots in use by their key, tasks and steps by their
-- state. Counts every row of those tables.

create or replace function flowledger.counter_mismatches()
returns table (relation text, counter text, counted bigint, stored bigint)
language sql
stable
as $$
    with slot as (
        select s.limit_key as counter, count(*) as counted
        from flowledger.slot as s
        group by s.limit_key
    ),

    task as (
        select
            coalesce(sum(d.steps), 0)::bigint as steps_of_tasks,
            count(*) filter (where t.paused and t.ended_at is null) as tasks_paused
        from flowledger.task as t
        left join flowledger.template as d on d.template_id = t.template_id
    ),

    counted as (
        select 'tasks_' || t.state as counter, count(*) as counted
        from flowledger.task as t
        group by t.state
        union all
        select 'steps_' || s.state, count(*)
        from flowledger.step as s
        group by s.state
        union all
        select 'steps_of_tasks', t.steps_of_tasks from task as t
        union all
        select 'tasks_paused', t.tasks_paused from task as t
    ),

    state_counts as (
        select
            c.key as counter,
            least(greatest(sum(c.value::bigint), -1e18), 1e18)::bigint as stored
        from flowledger.state_count as t
        cross join lateral jsonb_each_text(to_jsonb(t) - 'shard') as c
        group by c.key
    )

    select 'slot_count', coalesce(s.counter, k.limit_key), coalesce(s.counted, 0),
        coalesce(k.in_use,
        0)
    from slot as s
    full join flowledger.slot_count as k on k.limit_key = s.counter
    where s.counted is distinct from k.in_use
    union all
    select 'state_count', coalesce(c.counter, t.counter), coalesce(c.counted, 0),
        coalesce(t.stored, 0)
    from counted as c
    full join state_counts as t on t.counter = c.counter
    where coalesce(c.counted, 0) <> coalesce(t.stored, 0);
$$;
