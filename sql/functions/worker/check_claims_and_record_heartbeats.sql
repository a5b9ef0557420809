-- Which of these steps the worker still holds, where their streams stand, and which shall stop.
-- Notes the heartbeats that came since it last asked: p_details has one for each step, null where
-- there was none. told_at is when a step was told to stop, in microseconds since 1970, UTC. Locks:
-- the queue rows with a heartbeat.
--
-- The steps are named twice where rows are joined: a planner that takes the queue for empty would
-- walk all of it for each of them.
-- drop: function flowledger.check_claims_and_record_heartbeats(uuid, uuid[], text[])

create or replace function flowledger.check_claims_and_record_heartbeats(
    p_worker uuid, p_steps uuid[], p_details text[]
)
returns table (
    step_id uuid, stream_version bigint, attempt integer, cancelling boolean, told_at bigint
)
language plpgsql
volatile
as $$
#variable_conflict use_column
begin
    perform from flowledger.queue as q
    join unnest(p_steps, p_details) as b (step, heartbeat_details) on b.step = q.step_id
    where b.heartbeat_details is not null and q.worker_id = p_worker and q.step_id = any (p_steps)
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets)
    order by q.step_id
    for update of q;

    update flowledger.queue as q
    set heartbeat_at = flowledger.clock(), heartbeat_details = b.heartbeat_details::jsonb
    from unnest(p_steps, p_details) as b (step, heartbeat_details)
    where b.heartbeat_details is not null and q.step_id = b.step and q.worker_id = p_worker
        and q.step_id = any (p_steps)
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets);

    return query
    select
        q.step_id, q.stream_version + 1, q.attempt, q.cancelling,
        case when q.cancelling then (
            select flowledger.payload_occurred_at(e.state, e.encoding)
            from flowledger.event as e
            where e.originator_id = q.step_id and e.originator_version = q.stream_version + 1
        ) end
    from flowledger.queue as q
    where q.step_id = any (p_steps) and q.worker_id = p_worker
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets);
end
$$;
