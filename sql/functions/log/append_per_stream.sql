-- Append the facts of many streams, each stream all or none: one that moved refuses only itself.
-- Returns the refused streams. Facts that are stored already, byte for byte, count as accepted.
-- Locks: the log.

create or replace function flowledger.append_per_stream(
    p_streams uuid[],
    p_versions bigint[],
    p_topics text[],
    p_states bytea[],
    p_tasks uuid[],
    p_encodings bigint[],
    p_kind text
)
returns uuid[]
language plpgsql
volatile
as $$
declare
    v_left_out uuid[];
    v_refused uuid[];
begin
    perform flowledger.lock_log();

    select array_agg(r.stream), array_agg(r.stream) filter (where not r.already_stored)
    into v_left_out, v_refused
    from flowledger.conflicting_streams(p_streams, p_versions, p_states) as r;

    if v_left_out is null then
        perform flowledger.insert_events(
            p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, p_kind
        );
    else
        perform flowledger.insert_events(
            array_agg(i.stream order by i.n), array_agg(i.version order by i.n),
            array_agg(i.topic order by i.n), array_agg(i.state order by i.n),
            array_agg(i.task order by i.n), array_agg(i.encoding order by i.n), p_kind
        )
        from unnest(p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings)
            with ordinality as i (stream, version, topic, state, task, encoding, n)
        where i.stream <> all (v_left_out);
    end if;

    return coalesce(v_refused, '{}');
end
$$;
