-- Note how far a rebuild of tasks has come: behind p_task, or that it is done (p_task is null), or
-- that it failed. Locks: its row.

create or replace function flowledger.advance_task_rebuild(
    p_rebuild bigint, p_task uuid, p_tasks bigint, p_error text
)
returns void
language sql
volatile
as $$
    update flowledger.projection_rebuild as r
    set after_task = coalesce(p_task, r.after_task),
        tasks = greatest(flowledger.bounded_count(r.tasks), 0) + p_tasks,
        state = case
            when p_error is not null then 'failed'
            when p_task is null then 'done'
            else r.state
        end,
        error = p_error,
        ended_at = case when p_task is null or p_error is not null then flowledger.clock() end
    where r.rebuild = p_rebuild and r.state = 'asked';
$$;
