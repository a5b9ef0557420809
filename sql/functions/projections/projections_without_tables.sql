-- Projections that a live host has the code of, and that have no tables: the database refuses these,
-- or the projection was removed behind the host's back. Of each, the host that has been there longest.

create or replace function flowledger.projections_without_tables()
returns table (name text, host text, pid integer, since timestamptz)
language sql
stable
as $$
    select distinct on (g.name) g.name, h.host, h.pid, h.started_at
    from flowledger.projection_host as h
    cross join lateral (
        select split_part(v.version, ':', 1) as name
        from unnest(string_to_array(h.projection_versions, ',')) as v (version)
    ) as g
    where flowledger.lease_is_unexpired(h.lease_until, h.lease_seconds)
        and g.name <> ''
        and not exists (
            select from flowledger.projection as p
            where p.name = g.name and p.state <> 'retired'
        )
    order by g.name, h.started_at, h.host_id;
$$;
