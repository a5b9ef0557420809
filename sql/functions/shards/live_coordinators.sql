-- The coordinator processes among which the shards are shared out: those whose lease has not run
-- out.

create or replace function flowledger.live_coordinators()
returns setof uuid
language sql
stable
as $$
    select c.coordinator_id
    from flowledger.coordinator as c
    where flowledger.lease_is_unexpired(c.lease_until, c.lease_seconds);
$$;
