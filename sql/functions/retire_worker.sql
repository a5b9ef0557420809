-- Forget a worker; what it still holds counts as lost. Locks: the worker's row.

create or replace function flowledger.retire_worker(p_worker uuid)
returns void
language sql
volatile
as $$
    delete from flowledger.worker where worker_id = p_worker;
$$;
