-- Whether somebody leads a shard by its lease: one that stands, of a leader who is registered, as
-- every coordinator is before it leads.

create or replace function flowledger.shard_is_led(
    p_leader uuid, p_until timestamptz, p_seconds double precision
)
returns boolean
language sql
stable
as $$
    select flowledger.lease_is_unexpired(p_until, p_seconds)
        and exists (
            select from flowledger.coordinator as c where c.coordinator_id = p_leader
        );
$$;
