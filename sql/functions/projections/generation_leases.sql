-- The generations that are not retired, who leads each, the seconds left of the lease, and the
-- fingerprint of the code that it was built with.
-- drop: function flowledger.generation_leases()

create or replace function flowledger.generation_leases()
returns table (
    name text, generation integer, version integer, state text, leader uuid,
    seconds_left double precision, code text
)
language sql
stable
as $$
    select
        p.name, p.generation, p.version, p.state, p.leader,
        coalesce(extract(epoch from p.lease_until - flowledger.clock()), -1e9)::double precision,
        p.code
    from flowledger.projection as p
    where p.state <> 'retired'
    order by p.name, p.generation;
$$;
