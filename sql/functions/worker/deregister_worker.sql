-- A worker leaves: what it still holds counts as lost from now on. Locks: the worker's row.

create or replace function flowledger.deregister_worker(p_worker uuid)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from flowledger.worker as w
    where w.worker_id = p_worker
        and not exists (select from flowledger.queue as q where q.worker_id = p_worker);

    update flowledger.worker set lease_until = '-infinity' where worker_id = p_worker;
$$;
