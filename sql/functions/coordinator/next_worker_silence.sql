-- When the first of the leases of workers that are there runs out, where nobody renews it. Null
-- where none is there.

create or replace function flowledger.next_worker_silence()
returns timestamptz
language sql
stable
as $$
    select min(w.lease_until) + interval '1 ms'
    from flowledger.worker as w
    where w.lease_until >= flowledger.clock();
$$;
