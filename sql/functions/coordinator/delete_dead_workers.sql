-- Delete workers whose lease has run out and who hold no step any more. Locks: worker rows.

create or replace function flowledger.delete_dead_workers()
returns void
language sql
volatile
as $$
    delete from flowledger.worker as w
    where w.lease_until < flowledger.clock()
        and not exists (select from flowledger.queue as q where q.worker_id = w.worker_id);
$$;
