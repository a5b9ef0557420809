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
-- The candidates come from the partial index on claimable rows, in a materialized step of their
-- own, so that rows which are leased or dead never slow the claim. They are locked there, so their
-- places stay true until they are updated.
-- drop: function flowledger.claim_steps(uuid, uuid[], integer, boolean)

create or replace function flowledger.claim_steps(
    p_worker uuid, p_templates uuid[], p_limit integer
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
begin
    select w.condition = 'isolated' into v_isolated
    from flowledger.worker as w
    where w.worker_id = p_worker and w.lease_until > flowledger.clock();

    if not found then
        return;
    end if;

    return query
    with candidates as materialized (
        select c.ctid as place
        from flowledger.queue as c
        where c.worker_id is null and c.template_id = any (p_templates) and c.exclusive = v_isolated
            and flowledger.queue_counts_are_usable(c.stream_version, c.attempt, c.resets)
        order by c.sort_key, c.queued
        limit case when v_isolated then 1 else p_limit end
        for update skip locked
    )

    update flowledger.queue as q
    set worker_id = p_worker, heartbeat_details = null
    where q.ctid = any (array(select candidates.place from candidates))
    returning
        q.step_id, q.task_id, q.template_id, q.stream_version, q.attempt, q.step,
        coalesce(q.correlation_id, q.task_id::text), q.resets;
end
$$;
