-- Every event of these streams, in no order.

create or replace function flowledger.read_streams(p_streams uuid[])
returns table (
    notification_id bigint, originator_id uuid, originator_version bigint, topic text, state bytea,
    task_id uuid
)
language sql
stable
as $$
    select
        e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from flowledger.event as e
    where e.originator_id = any (p_streams);
$$;
