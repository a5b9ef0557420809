-- A worker leaves: what it still holds counts as lost from now on. Locks: the worker's row.

create or replace function flowledger.retire_worker(p_worker uuid)
returns void
language sql
volatile
as $$
    update flowledger.worker set lease_until = '-infinity' where worker_id = p_worker;
$$;
