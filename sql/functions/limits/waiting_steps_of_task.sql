-- The steps of a task that are ready and were not admitted to the queue, what holds each, all that
-- it must be granted, and how many steps wait for the same before it, counted up to p_most. Rows
-- that cannot be read are left out.
-- drop: function flowledger.waiting_steps_of_task(uuid)

create or replace function flowledger.waiting_steps_of_task(p_task uuid, p_most integer)
returns table (
    step text, kind text, limit_key text, since timestamptz, until timestamptz, demand jsonb,
    before bigint
)
language sql
stable
as $$
    select
        h.step, h.kind, h.limit_key, h.since, h.until, h.demand,
        (
            select count(*)
            from (
                select from flowledger.waiting_step as b
                where b.limit_key = h.limit_key and b.sort_key < h.sort_key
                limit p_most
            ) as c
        )
    from flowledger.waiting_step as h
    where h.task_id = p_task and flowledger.waiting_step_is_readable(h.sort_key, h.demand)
    order by h.step;
$$;
