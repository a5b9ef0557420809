-- The generations that are not retired, who leads each, the seconds left of the lease, the
-- fingerprint of the code that it was built with, and whether somebody asked for something of its
-- projection that is still to be done: of parked events, of tasks to be made anew, or of retired
-- generations to be dropped.
-- drop: function flowledger.generation_leases()

create or replace function flowledger.generation_leases()
returns table (
    name text, generation integer, version integer, state text, leader uuid,
    seconds_left double precision, code text, asked boolean
)
language sql
stable
as $$
    select
        p.name, p.generation, p.version, p.state, p.leader,
        coalesce(extract(epoch from p.lease_until - flowledger.clock()), -1e9)::double precision,
        p.code,
        exists (
            select from flowledger.parked_event as k
            where k.name = p.name and k.generation = p.generation
                and k.requested_action in ('retry', 'drop')
        )
        or exists (
            select from flowledger.projection_rebuild as r
            where r.name = p.name and r.state = 'asked'
        )
        or exists (
            select from flowledger.projection as o
            where o.name = p.name and o.state = 'retired' and (
                o.generation < (
                    select max(m.generation) from flowledger.projection as m where m.name = p.name
                )
                or to_regnamespace(quote_ident(o.name || '__' || o.generation)) is not null
            )
        )
    from flowledger.projection as p
    where p.state <> 'retired'
    order by p.name, p.generation;
$$;
