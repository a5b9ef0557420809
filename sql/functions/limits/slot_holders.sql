-- Who holds slots of these limits: at most p_most steps of each, those first that were queued
-- first.

create or replace function flowledger.slot_holders(p_keys text[], p_most integer)
returns table (limit_key text, step_id uuid, task_id uuid, step text, worker_id uuid)
language sql
stable
as $$
    select k.limit_key, h.step_id, h.task_id, h.step, h.worker_id
    from unnest(p_keys) as k (limit_key)
    cross join lateral (
        select s.step_id, q.task_id, q.step, q.worker_id
        from flowledger.slot as s
        join flowledger.queue as q on q.step_id = s.step_id
        where s.limit_key = k.limit_key
        order by q.queued
        limit p_most
    ) as h;
$$;
