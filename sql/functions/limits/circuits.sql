-- Every circuit as it is stored, as a JSON array of rows; null where there is none. Counts that
-- cannot be counted on from, as who writes a row may leave there, are read as the nearest that can
-- be, and probes that are no list of ids as none. Whoever decides asks proved_circuits.

create or replace function flowledger.circuits()
returns json
language sql
stable
as $$
    select json_agg(r order by r.system)
    from (
        select
            c.system, greatest(flowledger.bounded_count(c.revision), 0) as revision, c.state,
            least(greatest(c.failures, 0), flowledger.most_counted(1000000000)) as failures,
            least(greatest(c.openings, 0), flowledger.most_counted(1000000000)) as openings,
            c.open_until,
            array(
                select p.step
                from unnest(case when array_ndims(c.probes) = 1 then c.probes end) as p (step)
                where p.step is not null
            ) as probes,
            greatest(flowledger.bounded_count(c.stream_version), 0) as stream_version, c.changed_at
        from flowledger.circuit as c
    ) as r;
$$;
