-- One round of a process that leads a shard and runs its steps, in one transaction and one round
-- trip: what ended there, what followed from it, and what starts there next.
--
-- The first p_facts events are the worker's facts, the last p_begun are starts of steps that this very
-- round queues (with the worker in their rows), and what is between are decisions. These facts and
-- starts are decided on already: the shard's position moves past them, which is right only where
-- none of its facts that nobody has decided on stands before them, but for p_known, and but for tasks
-- that were created meanwhile, which the shard's row remembers (created_from). Otherwise FL009 is
-- raised, and so it is where the worker may not start anything; then nothing is stored.
-- The rows of the steps that ended are among p_dropped: the key of the log is their fence, and the
-- shard's row that of the decisions. What else is raised, and the order of locks: commit_decisions.
--
-- Claims come last, where p_looks, and wait for nobody; "front" then is the smallest sort key that is
-- left in the queue, infinity where nothing is. Others are told only of what may be theirs: workers
-- where not all is claimed that is queued, projectors where there are any, and coordinators where a
-- step of their shards starts. One that registers meanwhile looks at the log every second for a while.
-- The columns but for the first three: report_and_claim.
-- drop: function flowledger.commit_joint_round(integer, integer, bigint, bigint, bigint, double precision, integer, integer, uuid[], bigint[], text[], bytea[], uuid[], bigint[], uuid[], uuid[], json, json, json, uuid[], json, boolean, json, uuid, uuid[], integer, uuid)

create or replace function flowledger.commit_joint_round(
    p_shard integer, p_shards integer, p_epoch bigint, p_old bigint, p_new bigint,
    p_lease double precision, p_known integer, p_facts integer, p_begun integer,
    p_streams uuid[], p_versions bigint[], p_topics text[], p_states bytea[], p_tasks uuid[],
    p_encodings bigint[],
    p_dropped uuid[], p_signalled uuid[], p_queued json, p_steps json, p_task_rows json,
    p_untimed uuid[], p_timers json, p_answers boolean, p_limits json,
    p_worker uuid, p_templates uuid[], p_limit integer, p_id uuid, p_looks boolean,
    p_near integer[], p_locality double precision,
    out "position" bigint,
    out created_from bigint,
    out front double precision,
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
    v_last constant integer := case when p_begun > 0 then cardinality(p_streams) else p_facts end;
    v_own constant integer := p_known + p_facts + p_begun;
    v_others bigint;
begin
    if p_begun > 0 and not exists (
        select from flowledger.worker as w
        where w.worker_id = p_worker and w.lease_until > flowledger.clock()
            and w.condition <> 'isolated'
    ) then
        raise exception 'worker % may start nothing', p_worker using errcode = 'FL009';
    end if;

    perform flowledger.commit_decisions(
        p_shard, p_epoch, p_old, p_new, p_lease,
        p_streams, p_versions, p_topics, p_states, p_tasks, p_encodings,
        p_dropped, p_signalled, p_queued, p_steps, p_task_rows, p_untimed, p_timers, null,
        p_answers, p_limits, true, null
    );

    commit_joint_round.position := p_new;

    if v_last > 0 then
        commit_joint_round.position := (
            select e.notification_id from flowledger.event as e
            where e.originator_id = p_streams[v_last] and e.originator_version = p_versions[v_last]
        );

        select
            count(*) filter (where f.topic <> 'task.created'),
            min(f.notification_id) filter (where f.topic = 'task.created') - 1
        into v_others, created_from
        from flowledger.facts_of_shard(
            p_shard, p_shards, p_new, v_own + 500, flowledger.fact_topics()
        ) as f
        where f.notification_id <= commit_joint_round.position;

        if v_others <> v_own then
            raise exception 'facts of shard % came in between', p_shard using errcode = 'FL009';
        end if;

        update flowledger.shard as s
        set position = commit_joint_round.position, created_from = commit_joint_round.created_from
        where s.shard = p_shard;
    end if;

    if p_looks and p_limit > 0 then
        select
            c.refused, c.step_ids, c.task_ids, c.template_ids, c.stream_versions, c.attempts,
            c.steps, c.correlation_ids, c.resets, c.times
        into
            refused, step_ids, task_ids, template_ids, stream_versions, attempts, steps,
            correlation_ids, resets, times
        from flowledger.report_and_claim(
            p_worker, p_templates, p_limit, p_id, '{}', '{}', '{}', '{}', '{}', '{}', 'start', p_near,
            p_locality
        ) as c;
    end if;

    if p_looks then
        front := flowledger.front_of_queue(p_templates, p_near, p_locality);
    end if;

    if p_queued is not null and (
        refused <> '{}' or exists (
            select from json_to_recordset(p_queued) as q (step_id uuid, worker uuid)
            where q.worker is null
                and q.step_id <> all (coalesce(commit_joint_round.step_ids, '{}'))
        )
    ) then
        perform pg_notify('flowledger.queue', '');
    end if;

    if exists (select from flowledger.projection_host) or exists (
        select from unnest(commit_joint_round.task_ids) as c (task_id)
        where p_shards > 1 and flowledger.shard_of(c.task_id, p_shards) <> p_shard
    ) then
        perform pg_notify('flowledger.fact', '');
    end if;
end
$$;
