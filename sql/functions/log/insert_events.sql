-- Insert events as they are, in their order. The caller holds the log lock. Facts wake the
-- coordinators; their own decisions, and starts that nobody waits for, do not.
-- Returns their positions. Raises 23505 where one of the versions is taken, and stores nothing.

create or replace function flowledger.insert_events(
    p_streams uuid[],
    p_versions bigint[],
    p_topics text[],
    p_states bytea[],
    p_tasks uuid[],
    p_encodings bigint[],
    p_kind text
)
returns setof bigint
language plpgsql
volatile
as $$
begin
    if p_kind = 'fact' then
        perform pg_notify('flowledger.fact', '');
    end if;

    return query
    insert into flowledger.event (originator_id, originator_version, topic, state, task_id,
        encoding)
    select stream, version, topic, state, task, encoding
    from unnest(p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings)
        as i (stream, version, topic, state, task, encoding)
    returning notification_id;
end
$$;
