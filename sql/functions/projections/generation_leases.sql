-- The generations that are not retired, who leads each, and the seconds left of the lease.

create or replace function flowledger.generation_leases()
returns table (
    name text, generation integer, version integer, state text, leader uuid,
    seconds_left double precision
)
language sql
stable
as $$
    select
        p.name, p.generation, p.version, p.state, p.leader,
        coalesce(extract(epoch from p.lease_until - flowledger.clock()), -1e9)::double precision
    from flowledger.projection as p
    where p.state <> 'retired'
    order by p.name, p.generation;
$$;
