-- The next p_limit events of these topics behind a position, in the order of the log; topics of
-- what is no task's. By the index of events that are no task's.

create or replace function flowledger.events_without_task(p_after bigint, p_limit integer,
p_topics text[])
returns table (
    "position" bigint, stream uuid, version bigint, topic text, state bytea, recorded_at timestamptz
)
language sql
stable
as $$
    select e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.recorded_at
    from flowledger.event as e
    where e.task_id is null and e.notification_id > p_after and e.topic = any (p_topics)
    order by e.notification_id
    limit p_limit;
$$;
