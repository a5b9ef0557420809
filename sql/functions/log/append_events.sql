-- Append events, all or none. Returns their positions.
-- Raises 23505 where one of the versions is taken, and stores nothing. Locks: the log.

create or replace function flowledger.append_events(
    p_streams uuid[],
    p_versions bigint[],
    p_topics text[],
    p_states bytea[],
    p_tasks uuid[],
    p_encodings bigint[]
)
returns setof bigint
language plpgsql
volatile
as $$
begin
    perform flowledger.lock_log();

    return query
    select flowledger.insert_events(
        p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, 'fact'
    );
end
$$;
