-- Give a worker at most p_limit queued steps of the templates it knows, by sort key.
-- Rows that another worker is claiming are passed over. Locks: the claimed queue rows.
--
-- A worker that is not known, or whose lease has run out by the engine's time, gets nothing: its
-- steps may be on their way to others already.
--
-- Steps that are to run alone go to an isolated worker only, one at a time, and nothing else does.
--
-- A row that nobody can count on from is passed over, as it was written by nobody who knew: a claim
-- of it would fail, and with it those of all others.
--
-- Where more than one lane of the queue has such steps, the first of each are looked at, to see how
-- many to take of it; then so many are taken, others where somebody is claiming these.
--
-- p_near: the shards that the worker's process leads; a step of another counts as p_locality seconds
-- younger than it is. Lane 0 counts as shard 0's. Null: none is nearer than another.
--
-- The candidates come from the partial index on claimable rows, in a materialized step of their
-- own, so that rows which are leased or dead never slow the claim, and those of lanes that are
-- forgotten neither. They are locked there, so their places stay true until they are updated.
-- drop: function flowledger.claim_steps(uuid, uuid[], integer, boolean)
-- drop: function flowledger.claim_steps(uuid, uuid[], integer)

create or replace function flowledger.claim_steps(
    p_worker uuid, p_templates uuid[], p_limit integer,
    p_near integer[] default null, p_locality double precision default 0
)
returns table (
    step_id uuid, task_id uuid, template_id uuid, stream_version bigint, attempt integer, step text,
    correlation_id text, resets integer
)
language plpgsql
volatile
as $$
#variable_conflict use_column
declare
    v_isolated boolean;
    v_lanes bigint[];
    v_steps bigint[];
    v_later double precision[];
begin
    select w.condition = 'isolated' into v_isolated
    from flowledger.worker as w
    where w.worker_id = p_worker and w.lease_until > flowledger.clock();

    if not found then
        return;
    end if;

    if v_isolated then
        p_limit := least(p_limit, 1);
    end if;

    select
        array_agg(l.lane),
        array_agg(case when p_near is null or l.shard = any (p_near) then 0 else p_locality end)
    into v_lanes, v_later
    from (
        select 0::bigint as lane, 0 as shard
        union all
        select k.lane, k.shard from flowledger.queue_lane as k where k.lane <> 0
    ) as l
    cross join lateral (
        select
        from flowledger.queue as c
        where c.lane = l.lane and c.worker_id is null
            and c.template_id = any (p_templates) and c.exclusive = v_isolated
        order by c.sort_key, c.queued
        limit 1 -- keeps it a look at the front of each
    ) as f;

    v_steps := array[p_limit];

    if cardinality(v_lanes) > 1 then
        select array_agg(f.lane), array_agg(f.steps) into v_lanes, v_steps
        from (
            select f.lane, count(*) as steps
            from (
                select l.lane
                from unnest(v_lanes, v_later) as l (lane, later)
                cross join lateral (
                    select c.sort_key, c.queued
                    from flowledger.queue as c
                    where c.lane = l.lane and c.worker_id is null
                        and c.template_id = any (p_templates) and c.exclusive = v_isolated
                        and flowledger.queue_counts_are_usable(c.stream_version, c.attempt, c.resets)
                    order by c.sort_key, c.queued
                    limit p_limit
                ) as f
                order by f.sort_key + l.later, f.queued
                limit p_limit
            ) as f
            group by f.lane
        ) as f;
    end if;

    return query
    with candidates as materialized (
        select f.place
        from unnest(v_lanes, v_steps) as l (lane, steps)
        cross join lateral (
            select c.ctid as place
            from flowledger.queue as c
            where c.lane = l.lane and c.worker_id is null
                and c.template_id = any (p_templates) and c.exclusive = v_isolated
                and flowledger.queue_counts_are_usable(c.stream_version, c.attempt, c.resets)
            order by c.sort_key, c.queued
            limit l.steps
            for update skip locked
        ) as f
    )

    update flowledger.queue as q
    set worker_id = p_worker, heartbeat_details = null
    where q.ctid = any (array(select candidates.place from candidates))
    returning
        q.step_id, q.task_id, q.template_id, q.stream_version, q.attempt, q.step,
        coalesce(q.correlation_id, q.task_id::text), q.resets;
end
$$;
