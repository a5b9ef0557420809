-- How many timers are open that were set by a clock that was ahead and was put back: the event that
-- set each has a time that is yet to come. That is the last of a step's stream, and the first of a
-- task's. Counts up to p_limit. An event whose time is not in plain has that of its recording.

create or replace function flowledger.timers_set_ahead(p_limit integer)
returns bigint
language sql
stable
as $$
    select count(*)
    from (
        select
        from flowledger.timer as t
        cross join lateral (
            select e.state, e.encoding, e.recorded_at
            from flowledger.event as e
            where e.originator_id = t.step_id
                and (t.step_id <> t.task_id or e.originator_version = 1)
            order by e.originator_version desc
            limit 1
        ) as e
        where t.due_at > flowledger.clock()
            and coalesce(
                flowledger.time_from_microseconds(
                    flowledger.payload_occurred_at(e.state, e.encoding)
                ),
                e.recorded_at
            ) > flowledger.clock()
        limit p_limit
    ) as late;
$$;
