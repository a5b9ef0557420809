-- Note whether too many abandoned handlers keep the worker from claiming. Locks: the worker's row.

create or replace function flowledger.set_worker_stuck(p_worker uuid, p_stuck boolean)
returns void
language sql
volatile
as $$
    update flowledger.worker
    set condition = case when p_stuck then 'stuck' else 'ready' end
    where worker_id = p_worker;
$$;
