-- The end of a transactional step, in the transaction that its handler wrote its rows in: the
-- completion, and the release of the queue row. To be followed by commit in the same round trip.
--
-- Raises FL003 where the step is not this worker's attempt any more, FL004 where the transaction is
-- not the one that began as p_transaction, since the handler ended that, and FL009 where the log is
-- further on than the row. Lock order: queue row, log, after whatever the handler locked.

create or replace function flowledger.complete_transactional_step(
    p_worker uuid, p_step uuid, p_attempt integer, p_transaction text, p_state bytea,
    p_encoding bigint
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
    v_task uuid;
begin
    if current_setting('flowledger.transaction', true) is distinct from p_transaction then
        raise exception 'the transaction of step % was ended by its handler', p_step
            using errcode = 'FL004';
    end if;

    -- The connection is one for the handler's statements; these are written for an index.
    perform set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);

    delete from flowledger.queue as q
    where q.step_id = p_step and q.worker_id = p_worker and q.attempt = p_attempt
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets)
    returning q.stream_version + 2, q.task_id into v_version, v_task;

    if not found then
        raise exception 'step % is not held by worker %', p_step, p_worker using errcode = 'FL003';
    end if;

    perform flowledger.append_one(
        p_step, v_version, 'step.completed',
        flowledger.payload_not_before_previous(p_step, v_version, p_state, p_encoding), v_task, p_encoding, 'fact'
    );

    return v_version;
end
$$;
