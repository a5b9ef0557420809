-- Queue steps from a JSON array of rows and wake the workers, but for where p_quiet. A row that names
-- a worker is claimed by it from the first. Raises 23505 where a step is queued already: who queues a
-- step anew drops its row first. Locks: queue rows.
--
-- They are put in the last lane of the shard, whose row the caller has locked. Once some 2000 steps
-- were queued since its first one, there is a new lane for the next ones; lane 0 is shard 0's.
-- drop: function flowledger.enqueue_steps(json)
-- drop: function flowledger.enqueue_steps(json, integer)

create or replace function flowledger.enqueue_steps(
    p_rows json, p_shard integer default 0, p_quiet boolean default false
)
returns void
language plpgsql
volatile
as $$
declare
    v_lane constant bigint := coalesce(
        (select max(l.lane) from flowledger.queue_lane as l where l.shard = p_shard), 0
    );
    v_last bigint;
begin
    with added as (
        insert into flowledger.queue
            (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step,
            correlation_id, exclusive, lane, worker_id)
        select
            r.step_id, r.task_id, r.template_id, r.version, r.sort_key, r.attempt, r.resets, r.step,
            r.correlation, coalesce(r.exclusive, false), v_lane, r.worker
        from json_to_recordset(p_rows) as r (
            step_id uuid, task_id uuid, template_id uuid, version bigint,
            sort_key double precision, attempt integer, resets integer, step text, correlation text,
            exclusive boolean, worker uuid
        )
        returning queued
    )

    select max(a.queued) into v_last from added as a;

    if v_last - v_lane >= 2000 or (v_lane = 0 and p_shard <> 0) then
        perform flowledger.open_queue_lane(p_shard, v_last + 1);
    end if;

    if not p_quiet then
        perform pg_notify('flowledger.queue', '');
    end if;
end
$$;
