-- Every circuit, as a JSON array of rows; null where there is none. Counts that cannot be counted on
-- from, and probes that are no list of ids, as who writes a row may leave there, are read as the
-- nearest that can be.

create or replace function flowledger.circuits()
returns json
language sql
stable
as $$
    select json_agg(r order by r.system)
    from (
        select
            c.system, greatest(flowledger.bounded_count(c.revision), 0) as revision, c.state,
            least(greatest(c.failures, 0), 999999999) as failures,
            least(greatest(c.openings, 0), 999999999) as openings,
            c.open_until,
            array(select p.step from unnest(c.probes) as p (step) where p.step is not null) as probes,
            greatest(flowledger.bounded_count(c.stream_version), 0) as stream_version, c.changed_at
        from flowledger.circuit as c
    ) as r;
$$;
