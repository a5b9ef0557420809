-- A worker's whole exchange in one round trip: claim steps, append their starts and the worker's
-- facts, release what ended. Returns the refused streams, and the claimed rows as arrays, refused
-- ones among them.
--
-- A fact about a step that is claimed anew here is of an attempt that no longer counts, and is left
-- out; unless it is of the very attempt that the claim would start (already_started_claims): then the
-- claim is dropped, and the fact releases its row. The transaction waits for the disk, since handlers
-- are called by what it says. p_id: the event ids of starts are numbered from it.
--
-- A start happens now, by the server, and never before the step was queued, which is the last event
-- of its stream. times: microseconds since 1970, UTC. p_near, p_locality: claim_steps. Lock order:
-- queue rows, log.
-- drop: function flowledger.report_and_claim(uuid, uuid[], integer, uuid[], uuid[], bigint[], text[], bytea[], uuid[], bigint[], text)
-- drop: function flowledger.report_and_claim(uuid, uuid[], integer, uuid[], text, uuid[], bigint[], text[], bytea[], uuid[], bigint[], text)
-- drop: function flowledger.report_and_claim(uuid, uuid[], integer, uuid[], bigint, uuid[], bigint[], text[], bytea[], uuid[], bigint[], text)
-- drop: function flowledger.report_and_claim(uuid, uuid[], integer, uuid, uuid[], bigint[], text[], bytea[], uuid[], bigint[], text)

create or replace function flowledger.report_and_claim(
    p_worker uuid,
    p_templates uuid[],
    p_limit integer,
    p_id uuid,
    p_streams uuid[],
    p_versions bigint[],
    p_topics text[],
    p_states bytea[],
    p_tasks uuid[],
    p_encodings bigint[],
    p_kind text,
    p_near integer[] default null,
    p_locality double precision default 0,
    out refused uuid[],
    out step_ids uuid[],
    out task_ids uuid[],
    out template_ids uuid[],
    out stream_versions bigint[],
    out attempts integer[],
    out steps text[],
    out correlation_ids text[],
    out resets integer[],
    out times bigint[]
)
language plpgsql
volatile
as $$
declare
    v_now constant bigint := extract(epoch from flowledger.clock()) * 1000000;
    v_states bytea[];
    v_claimed integer;
begin
    -- Without its template's row a step cannot be started; the steps of others can.
    p_templates := array(
        select t.template_id from flowledger.template as t where t.template_id = any (p_templates)
    );

    select
        array_agg(c.step_id), array_agg(c.task_id), array_agg(c.template_id),
        array_agg(c.stream_version + 1), array_agg(c.attempt), array_agg(c.step),
        array_agg(c.correlation_id), array_agg(c.resets), count(*)
    into
        step_ids, task_ids, template_ids, stream_versions, attempts, steps, correlation_ids,
        resets, v_claimed
    from flowledger.claim_steps(p_worker, p_templates, p_limit, p_near, p_locality) as c;

    if v_claimed > 0 then
        -- A statement of its own: that of the claim does not see what was queued since it began.
        select
            array_agg(c.time order by c.n),
            array_agg(flowledger.step_started_payload(
                flowledger.numbered_id(p_id, c.n::integer), c.time, c.task_id, c.correlation_id, t.namespace, t.name, c.step, c.attempt,
                p_worker
            ) order by c.n)
        into times, v_states
        from (
            select
                q.*,
                greatest(v_now, (
                    select flowledger.payload_occurred_at(e.state, e.encoding)
                    from flowledger.event as e
                    where e.originator_id = q.step_id and e.originator_version = q.version - 1
                )) as time
            from unnest(
                step_ids, task_ids, template_ids, stream_versions, attempts, steps, correlation_ids
            ) with ordinality as q (
                step_id, task_id, template_id, version, attempt, step, correlation_id, n
            )
            offset 0
        ) as c
        left join flowledger.template as t on t.template_id = c.template_id;
    end if;

    if p_streams && step_ids then
        select
            coalesce(array_agg(c.step_id), '{}'), array_agg(c.task_id), array_agg(c.template_id),
            array_agg(c.version), array_agg(c.attempt), array_agg(c.step),
            array_agg(c.correlation_id), array_agg(c.resets), count(*), array_agg(c.time),
            array_agg(c.state)
        into
            step_ids, task_ids, template_ids, stream_versions, attempts, steps, correlation_ids,
            resets, v_claimed, times, v_states
        from unnest(
            step_ids, task_ids, template_ids, stream_versions, attempts, steps, correlation_ids,
            resets, times, v_states
        ) as c (
            step_id, task_id, template_id, version, attempt, step, correlation_id, resets, time,
            state
        )
        where c.step_id <> all (
            flowledger.already_started_claims(step_ids, stream_versions, p_streams, p_versions)
        );

        select
            array_agg(i.stream), array_agg(i.version), array_agg(i.topic), array_agg(i.state),
            array_agg(i.task), array_agg(i.encoding)
        into p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings
        from unnest(p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings)
            as i (stream, version, topic, state, task, encoding)
        where i.stream <> all (step_ids);
    end if;

    if v_claimed > 0 or p_streams <> '{}' then
        refused := flowledger.report_outcomes(
            p_worker,
            p_streams,
            p_streams || step_ids,
            p_versions || stream_versions,
            p_topics || array_fill('step.started'::text, array[v_claimed]),
            p_states || v_states,
            p_tasks || task_ids,
            p_encodings || array_fill(0::bigint, array[v_claimed]),
            p_kind
        );
    end if;
end
$$;
