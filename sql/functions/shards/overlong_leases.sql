-- Leases that end later than they can have been given for, as the clock was ahead then: how many
-- there are of each kind, and by how many seconds the last of them. A second is no finding.

create or replace function flowledger.overlong_leases()
returns table (kind text, leases bigint, seconds double precision)
language sql
stable
as $$
    with lease (kind, lease_until, lease_seconds) as (
        select 'shard', s.lease_until, s.lease_seconds from flowledger.shard as s
        union all
        select 'coordinator', c.lease_until, c.lease_seconds from flowledger.coordinator as c
        union all
        select 'worker', w.lease_until, w.lease_seconds from flowledger.worker as w
        union all
        select 'projection', p.lease_until, p.lease_seconds from flowledger.projection as p
        union all
        select 'projector', h.lease_until, h.lease_seconds from flowledger.projection_host as h
    ),

    late as (
        select
            l.kind,
            extract(epoch from l.lease_until - flowledger.clock())
            - flowledger.bounded_lease_seconds(l.lease_seconds) as seconds
        from lease as l
        where isfinite(l.lease_until)
    )

    select l.kind, count(*), max(l.seconds)::double precision
    from late as l
    where l.seconds > 1
    group by l.kind
    order by l.kind;
$$;
