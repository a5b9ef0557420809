-- How many steps of a task are in which state, with the names of at most p_names of each.
-- The coordinator hears of a start when it next looks; the queue knows at once.

create or replace function flowledger.step_counts_of_task(p_task uuid, p_names integer)
returns table (state text, steps bigint, names text[])
language sql
stable
as $$
    select
        case when s.state = 'enqueued'
        and q.worker_id is not null then 'in_progress' else s.state end,
        count(*),
        (array_agg(s.step order by s.step))[1:p_names]
    from flowledger.step as s
    left join flowledger.queue as q
        on q.step_id between flowledger.step_id_lower_bound(p_task)
        and flowledger.step_id_upper_bound(p_task)
        and q.task_id = s.task_id
        and q.step = s.step
    where s.task_id = p_task
    group by 1;
$$;
