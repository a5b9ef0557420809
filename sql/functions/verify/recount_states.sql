-- Count all tasks and steps anew. Locks: all shard rows, as the whole table, so that no coordinator
-- commits meanwhile.

create or replace function flowledger.recount_states()
returns void
language plpgsql
volatile
as $$
declare
    v_tasks bigint[];
    v_steps bigint[];
begin
    lock table flowledger.shard in share row exclusive mode;
    delete from flowledger.state_count;
    insert into flowledger.state_count (shard) values (0);

    select array_agg(coalesce(c.counted, 0) order by s.place)
    into v_tasks
    from unnest(flowledger.ordered_task_states()) with ordinality as s (state, place)
    left join (
        select t.state, count(*) as counted from flowledger.task as t group by t.state
    ) as c on c.state = s.state;

    select v_tasks || array[count(*) filter (where t.paused and t.ended_at is null),
        coalesce(sum(d.steps), 0)]
    into v_tasks
    from flowledger.task as t
    left join flowledger.template as d on d.template_id = t.template_id;

    select array_agg(coalesce(c.counted, 0) order by s.place)
    into v_steps
    from unnest(flowledger.ordered_step_states()) with ordinality as s (state, place)
    left join (
        select t.state, count(*) as counted from flowledger.step as t group by t.state
    ) as c on c.state = s.state;

    perform flowledger.add_shard_task_counts(0, v_tasks);
    perform flowledger.add_shard_step_counts(0, v_steps);
end
$$;
