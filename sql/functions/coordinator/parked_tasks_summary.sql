-- The tasks that coordinators leave alone, in one row where there are some, and in another those of
-- them that no coordinator could take on: how many, since when, and which is parked longest and
-- why.

create or replace function flowledger.parked_tasks_summary()
returns table (
    taken_on boolean, tasks bigint, since timestamptz, first_task uuid, first_reason text
)
language sql
stable
as $$
    with parked as (
        select
            k.task_id, k.reason, k.parked_at,
            exists (select from flowledger.task as t where t.task_id = k.task_id) as taken_on
        from flowledger.parked_task as k
    )

    select distinct on (p.taken_on)
        p.taken_on, count(*) over (partition by p.taken_on), p.parked_at, p.task_id, p.reason
    from parked as p
    order by p.taken_on desc, p.parked_at, p.task_id;
$$;
