-- One transaction of the coordinator, in one round trip: its position, what it consumed and what
-- followed from it. All or nothing.
--
-- Lock order: shard row, queue rows, readiness rows, the shard's counts, limits, log. Raises FL002
-- where the caller no longer leads, 23505 where a stream moved and FL006 where another shard was
-- first to a limit; then nothing is stored. A null argument: nothing of the kind. p_quiet: no worker is
-- woken by what is queued. p_created_from: advance_shard_position.
-- drop: function flowledger.commit_decisions(integer, bigint, bigint, bigint, double precision, uuid[], bigint[], text[], bytea[], uuid[], bigint[], uuid[], uuid[], json, json, json, uuid[], json, bigint[], boolean, json)
-- drop: function flowledger.commit_decisions(integer, bigint, bigint, bigint, double precision, uuid[], bigint[], text[], bytea[], uuid[], bigint[], uuid[], uuid[], json, json, json, uuid[], json, bigint[], boolean, json, boolean)

create or replace function flowledger.commit_decisions(
    p_shard integer, p_epoch bigint, p_old bigint, p_new bigint, p_lease double precision,
    p_streams uuid[], p_versions bigint[], p_topics text[], p_states bytea[], p_tasks uuid[],
    p_encodings bigint[],
    p_dropped uuid[], p_signalled uuid[], p_queued json, p_steps json, p_task_rows json,
    p_untimed uuid[],
    p_timers json, p_submissions bigint[], p_answers boolean, p_limits json default null,
    p_quiet boolean default false, p_created_from bigint default -1
)
returns void
language plpgsql
volatile
as $$
begin
    perform flowledger.advance_shard_position(p_shard, p_epoch, p_old, p_new, p_lease, p_created_from);

    if p_submissions is not null then
        delete from flowledger.submission where submission = any (p_submissions);
    end if;
    if p_dropped is not null then
        delete from flowledger.queue where step_id = any (p_dropped);
    end if;
    if p_signalled is not null then
        perform flowledger.signal_cancel(p_signalled);
    end if;
    if p_queued is not null then
        perform flowledger.enqueue_steps(p_queued, p_shard, p_quiet);
    end if;
    if p_steps is not null then
        perform flowledger.upsert_steps(p_steps, p_shard);
    end if;
    if p_task_rows is not null then
        perform flowledger.upsert_tasks(p_task_rows, p_shard);
    end if;
    if p_untimed is not null then
        delete from flowledger.timer where step_id = any (p_untimed);
    end if;
    if p_timers is not null then
        perform flowledger.upsert_timers(p_timers);
    end if;
    if p_limits is not null then
        perform flowledger.store_limit_state(p_limits);
    end if;
    if p_answers then
        perform pg_notify('flowledger.ended', '');
    end if;
    if p_streams is not null then
        perform flowledger.lock_log();
        perform flowledger.insert_events(
            p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, 'decision'
        );
    end if;
end
$$;
