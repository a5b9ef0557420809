-- Append one event to a stream whose queue row the caller has locked. Raises FL009 where the stream
-- does not stand right before it. p_kind as in insert_events. Locks: the log.

create or replace function flowledger.append_one(
    p_stream uuid, p_version bigint, p_topic text, p_state bytea, p_task uuid, p_encoding bigint,
    p_kind text
)
returns void
language plpgsql
volatile
as $$
declare
    v_refused uuid[];
begin
    v_refused := flowledger.append_per_stream(
        array[p_stream], array[p_version], array[p_topic], array[p_state], array[p_task],
        array[p_encoding], p_kind
    );

    if v_refused <> '{}' then
        raise exception 'stream % does not stand at version %', p_stream, p_version - 1
            using errcode = 'FL009';
    end if;
end
$$;
