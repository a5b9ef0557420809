-- A worker's facts: append them and release the queue rows of the steps that ended. A refused step
-- is no longer the worker's, and its row goes too, unless the row is further on than the fact
-- knows: then the step was told to stop or noted a checkpoint, and is reported again, or someone
-- has queued it anew, be it for the same worker.
--
-- queue.stream_version is the version of StepEnqueued, plus one for each checkpoint or cancel
-- signal. The start of the attempt is stream_version + 1, its outcome stream_version + 2.
-- p_kind is fact, or start for a notification that need not wake the coordinator. Returns the
-- refused streams. Lock order: queue rows, log.

create or replace function flowledger.report_outcomes(
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
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_refused uuid[];
begin
    delete from flowledger.queue
    where step_id = any (p_released)
        and worker_id = p_worker
        and stream_version < p_versions[array_position(p_streams, step_id)] - 1;

    v_refused := flowledger.append_per_stream(
        p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, p_kind
    );

    if v_refused <> '{}' then
        delete from flowledger.queue as q
        using unnest(p_streams, p_versions, p_topics) as i (stream, version, topic)
        where q.step_id = any (v_refused)
            and q.step_id = i.stream
            and q.worker_id = p_worker
            and q.stream_version < i.version - (i.topic <> 'step.started')::integer;
    end if;

    return v_refused;
end
$$;
