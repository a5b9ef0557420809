-- A worker's facts: append them and release the queue rows of the steps that ended. A refused step
-- is no longer the worker's, and its row goes too, unless someone has queued it anew: a row from
-- behind the fact is another attempt's, be it of the same worker.
-- p_kind tells the followers whether to hurry: fact, or start. Returns the refused streams. Lock order: queue rows, log.

create or replace function flowledger.report_facts(
    p_worker uuid,
    p_released uuid[],
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
    v_refused uuid[];
begin
    delete from flowledger.queue
    where step_id = any (p_released)
        and worker_id = p_worker
        and stream_version < p_versions[array_position(p_streams, step_id)];

    v_refused := flowledger.append_facts(
        p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, p_kind
    );

    if v_refused <> '{}' then
        delete from flowledger.queue as q
        using unnest(p_streams, p_versions) as i (stream, version)
        where q.step_id = any (v_refused)
            and q.step_id = i.stream
            and q.worker_id = p_worker
            and q.stream_version < i.version;
    end if;

    return v_refused;
end
$$;
