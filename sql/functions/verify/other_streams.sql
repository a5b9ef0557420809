-- Walks the first p_limit streams behind p_after, by id. looked: how many there were; last: the
-- last of them; streams: those that lie in the range of no task that is known, be it that they are
-- nobody's, as those of templates and circuits, or that their task has no events and was not
-- submitted.

create or replace function flowledger.other_streams(
    p_after uuid, p_limit integer, out looked bigint, out last uuid, out streams uuid[]
)
language sql
stable
as $$
    with walked as materialized (
        select e.originator_id as stream, array_agg(e.task_id) as tasks
        from flowledger.event as e
        where e.originator_id > p_after
        group by e.originator_id
        order by e.originator_id
        limit p_limit
    )

    select
        count(*),
        (array_agg(w.stream order by w.stream desc))[1],
        coalesce(
            array_agg(w.stream order by w.stream) filter (
                where not exists (
                    select from (select distinct unnest(w.tasks) as task_id) as t
                    where (
                        w.stream = t.task_id
                        or w.stream between flowledger.step_id_lower_bound(t.task_id)
                            and flowledger.step_id_upper_bound(t.task_id)
                    ) and (
                        flowledger.task_exists(t.task_id)
                        or exists (select from flowledger.task as k where k.task_id = t.task_id)
                    )
                )
            ),
            '{}'
        )
    from walked as w;
$$;
