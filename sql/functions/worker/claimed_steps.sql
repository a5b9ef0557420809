-- The steps that a worker has claimed, as claim_steps gave them.

create or replace function flowledger.claimed_steps(p_worker uuid)
returns table (
    step_id uuid, task_id uuid, template_id uuid, stream_version bigint, attempt integer, step text,
    correlation_id text, resets integer
)
language sql
stable
as $$
    select
        q.step_id, q.task_id, q.template_id, q.stream_version, q.attempt, q.step,
        coalesce(q.correlation_id, q.task_id::text), q.resets
    from flowledger.queue as q
    where q.worker_id = p_worker
        and flowledger.queue_counts_are_usable(q.stream_version, q.attempt, q.resets);
$$;
