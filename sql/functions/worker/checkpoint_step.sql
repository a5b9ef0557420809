-- Append a checkpoint of a running step, at the version that the queue has, and move the row
-- on with the stream. Returns where the stream stands then, whether the step shall stop, and when
-- the checkpoint is said to have happened, in microseconds since 1970 (see payload_occurred_at):
-- not before what it follows, and nothing that follows it may be said to precede it. Nulls where
-- the step is not this worker's attempt any more, or its row cannot be counted on from, and nothing
-- is stored.
--
-- The row's lock keeps everybody else from the stream meanwhile: who ends or stops a running step
-- changes its row first. Raises FL009 where the log is further on than the row, which is a fault of
-- the queue. Lock order: queue row, log.
-- drop: function flowledger.checkpoint_step(uuid, uuid, integer, bytea, bigint)

create or replace function flowledger.checkpoint_step(
    p_worker uuid, p_step uuid, p_attempt integer, p_state bytea, p_encoding bigint,
    out stream_version bigint, out cancelling boolean, out occurred_at bigint
)
language plpgsql
volatile
as $$
declare
    v_task uuid;
    v_state bytea;
begin
    update flowledger.queue as q
    set stream_version = q.stream_version + 1,
        heartbeat_details = case
            when flowledger.json_is_readable(q.heartbeat_details) then q.heartbeat_details
        end
    where q.step_id = p_step and q.worker_id = p_worker and q.attempt = p_attempt
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets)
    returning q.stream_version + 1, q.cancelling, q.task_id
    into checkpoint_step.stream_version, checkpoint_step.cancelling, v_task;

    if found then
        v_state := flowledger.payload_not_before_previous(
            p_step, checkpoint_step.stream_version, p_state, p_encoding
        );
        checkpoint_step.occurred_at := flowledger.payload_occurred_at(v_state, p_encoding);
        perform flowledger.append_one(
            p_step, checkpoint_step.stream_version, 'step.checkpointed', v_state, v_task,
            p_encoding, 'start'
        );
    end if;
end
$$;
