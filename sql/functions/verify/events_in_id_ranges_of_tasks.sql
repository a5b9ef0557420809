-- Everything in the ranges of the log in which these tasks' events lie, in no order. What says that
-- it is another task's comes too: it may be one's own that was tampered with. owner has the range.

create or replace function flowledger.events_in_id_ranges_of_tasks(p_tasks uuid[])
returns table (
    owner uuid, notification_id bigint, originator_id uuid, originator_version bigint, topic text,
    state bytea, task_id uuid
)
language sql
stable
as $$
    select
        o.task_id, e.notification_id, e.originator_id, e.originator_version, e.topic, e.state,
        e.task_id
    from unnest(p_tasks) as o (task_id)
    cross join lateral (
        select x.*
        from flowledger.event as x
        where x.originator_id = o.task_id
            or x.originator_id
                between flowledger.step_id_lower_bound(o.task_id)
                    and flowledger.step_id_upper_bound(o.task_id)
    ) as e;
$$;
