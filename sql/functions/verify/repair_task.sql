-- Put rows of a task, which the caller has locked (lock_task), in place of those that are there,
-- and append the event that says so. False, and then the caller rolls back: the task's streams have
-- events behind p_seen, so that the rows were made of less than the whole log.
--
-- p_rows has rows by relation, and the keys of rows that go: `task`, `steps`, `queue`, `timers`,
-- `held`, `slots`; `no_task`, `no_steps`, `no_queue`, `no_timers`, `no_held`, `no_slots`,
-- `no_parked`; `identity`; `decide`, where its coordinator is to look at the task anew, since it
-- passed over facts. One that is missing changes nothing. Counters of tasks and steps stay as they
-- are: whoever changed the rows did not count either.
--
-- Lock order: queue rows, step and task rows, timers, limits, log.

create or replace function flowledger.repair_task(
    p_task uuid, p_seen bigint, p_rows json, p_streams uuid[], p_versions bigint[], p_topics text[],
    p_states bytea[], p_tasks uuid[], p_encodings bigint[]
)
returns boolean
language plpgsql
volatile
as $$
begin
    delete from flowledger.queue as q
    using json_array_elements_text(p_rows -> 'no_queue') as g (step_id)
    where q.step_id = g.step_id::uuid;

    insert into flowledger.queue as q
        (step_id, task_id, template_id, stream_version, sort_key, worker_id, attempt, resets,
        cancelling,
        step, correlation_id, exclusive)
    select
        x.step_id, x.task_id, x.template_id, x.stream_version, x.sort_key, x.worker_id, x.attempt,
        x.resets, x.cancelling, x.step, x.correlation_id, coalesce(x.exclusive, false)
    from json_to_recordset(p_rows -> 'queue') as x (
        step_id uuid, task_id uuid, template_id uuid, stream_version bigint,
        sort_key double precision,
        worker_id uuid, attempt integer, resets integer, cancelling boolean, step text,
        correlation_id text, exclusive boolean
    )
    on conflict (step_id) do update
    set task_id = excluded.task_id, template_id = excluded.template_id,
        sort_key = excluded.sort_key, exclusive = excluded.exclusive,
        stream_version = excluded.stream_version, worker_id = excluded.worker_id,
        attempt = excluded.attempt, resets = excluded.resets, cancelling = excluded.cancelling,
        step = excluded.step, correlation_id = excluded.correlation_id,
        heartbeat_details = case
            when flowledger.json_is_readable(q.heartbeat_details) then q.heartbeat_details
        end;

    delete from flowledger.step as s
    using json_array_elements_text(p_rows -> 'no_steps') as g (step)
    where s.task_id = p_task and s.step = g.step;

    insert into flowledger.step (task_id, step, state, attempt, stream_version, due_at)
    select x.task_id, x.step, x.state, x.attempt, x.version, x.due_at
    from json_to_recordset(p_rows -> 'steps') as x (
        task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
    )
    on conflict (task_id, step) do update
    set state = excluded.state, attempt = excluded.attempt,
        stream_version = excluded.stream_version, due_at = excluded.due_at;

    if p_rows -> 'no_task' is not null or p_rows -> 'task' is not null then
        delete from flowledger.task as t where t.task_id = p_task;
    end if;

    insert into flowledger.task (
        task_id, template_id, namespace, template, version, state, stream_version, paused, priority,
        correlation_id, created_at, ended_at, fairness_key
    )
    select
        x.task_id, x.template_id, x.namespace, x.template, x.version, x.state, x.stream_version,
        x.paused, x.priority, x.correlation, x.created_at, x.ended_at,
        x.fairness_key
    from json_to_recordset(p_rows -> 'task') as x (
        task_id uuid, template_id uuid, namespace text, template text, version text, state text,
        stream_version bigint, paused boolean, priority integer, correlation text,
        created_at timestamptz, ended_at timestamptz, fairness_key text
    );

    delete from flowledger.parked_task as k
    where k.task_id = p_task and p_rows -> 'no_parked' is not null;

    insert into flowledger.parked_task as k (task_id, reason, parked_at, tried_at, wanted)
    select
        p_task, 'facts about it were passed over', flowledger.clock(), flowledger.clock(), true
    where p_rows -> 'decide' is not null
    on conflict (task_id) do update
    set wanted = true;

    delete from flowledger.timer as t
    using json_array_elements_text(p_rows -> 'no_timers') as g (step_id)
    where t.step_id = g.step_id::uuid;

    insert into flowledger.timer (step_id, task_id, step, kind, due_at)
    select x.step_id, x.task_id, x.step, x.kind, x.due_at
    from json_to_recordset(p_rows -> 'timers') as x (
        step_id uuid, task_id uuid, step text, kind text, due_at timestamptz
    )
    on conflict (step_id) do update
    set task_id = excluded.task_id, step = excluded.step, kind = excluded.kind,
        due_at = excluded.due_at;

    delete from flowledger.waiting_step as h
    using json_array_elements_text(p_rows -> 'no_held') as g (step_id)
    where h.step_id = g.step_id::uuid;

    if p_rows -> 'held' is not null then
        delete from flowledger.waiting_step as h
        using json_to_recordset(p_rows -> 'held') as x (step_id uuid)
        where h.step_id = x.step_id;

        perform flowledger.store_waiting_steps(p_rows -> 'held');
    end if;

    delete from flowledger.slot as s
    using json_to_recordset(p_rows -> 'no_slots') as g (step_id uuid, limit_key text)
    where s.step_id = g.step_id and s.limit_key = g.limit_key;

    insert into flowledger.slot (step_id, limit_key)
    select x.step_id, x.limit_key
    from json_to_recordset(p_rows -> 'slots') as x (step_id uuid, limit_key text)
    on conflict do nothing;

    perform flowledger.recount_slots(array(
        select x.limit_key
        from json_to_recordset(p_rows -> 'slots') as x (limit_key text)
        union
        select g.limit_key
        from json_to_recordset(p_rows -> 'no_slots') as g (limit_key text)
    ));

    insert into flowledger.identity as i (identity, task_id)
    select p_rows ->> 'identity', p_task
    where p_rows ->> 'identity' is not null
    on conflict (identity) do update
    set task_id = excluded.task_id;

    perform flowledger.lock_log();

    if exists (
        select from flowledger.event as e
        where (
            e.originator_id = p_task or e.originator_id
            between flowledger.step_id_lower_bound(p_task)
                and flowledger.step_id_upper_bound(p_task)
        ) and e.notification_id > p_seen
    ) then
        return false;
    end if;

    if p_streams is not null then
        perform flowledger.insert_events(
            p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings, 'fact'
        );
    end if;
    perform pg_notify('flowledger.queue', '');
    return true;
end
$$;
