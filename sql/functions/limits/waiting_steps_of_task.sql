-- The steps of a task that are ready and were not admitted to the queue, what holds each, all that
-- it must be granted, and how many steps wait for the same before it, counted up to p_most. Where
-- its fairness key takes turns with others, as many of each of those go before it as of its own,
-- and one more; of equal weight, and among the first 20 000 that wait. Rows that cannot be read are
-- left out.
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
        case when h.demand -> 'share' is null
            then (
                select count(*)
                from (
                    select from flowledger.waiting_step as b
                    where b.limit_key = h.limit_key and b.sort_key < h.sort_key
                    limit p_most
                ) as c
            )
            else (
                with mine as materialized (
                    select b.demand -> 'share' -> 1 as key, b.sort_key < h.sort_key as earlier
                    from (
                        select w.demand, w.sort_key
                        from flowledger.waiting_step as w
                        where w.limit_key = h.limit_key
                        order by w.sort_key
                        limit 20000
                    ) as b
                    where b.demand -> 'share' -> 0 = h.demand -> 'share' -> 0
                ),

                own as (
                    select count(*) as steps
                    from mine as m
                    where m.key = h.demand -> 'share' -> 1 and m.earlier
                ),

                others as (
                    select m.key, count(*) as steps
                    from mine as m
                    where m.key <> h.demand -> 'share' -> 1
                    group by m.key
                )

                select
                    least(
                        o.steps
                        + coalesce((select sum(least(n.steps, o.steps + 1)) from others as n), 0),
                        p_most
                    )::bigint
                from own as o
            )
        end
    from flowledger.waiting_step as h
    where h.task_id = p_task and flowledger.waiting_step_is_readable(h.sort_key, h.demand)
    order by h.step;
$$;
