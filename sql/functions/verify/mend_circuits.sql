-- Have circuits say only what their checks allow: counts that can be counted on from, and probes
-- that are a list of ids, and times that events may say. Returns how many did not. Locks: the circuits' rows.

create or replace function flowledger.mend_circuits()
returns bigint
language sql
volatile
as $$
    with mended as (
        update flowledger.circuit as c
        set revision = greatest(flowledger.bounded_count(c.revision), 0),
            failures = least(greatest(c.failures, 0), flowledger.most_counted(1000000000)),
            openings = least(greatest(c.openings, 0), flowledger.most_counted(1000000000)),
            stream_version = greatest(flowledger.bounded_count(c.stream_version), 0),
            probes = array(
                select p.step
                from unnest(case when array_ndims(c.probes) = 1 then c.probes end) as p (step)
                where p.step is not null
            ),
            open_until = case
                when c.open_until = flowledger.readable_time(c.open_until) then c.open_until
            end,
            changed_at = case
                when c.changed_at = flowledger.readable_time(c.changed_at) then c.changed_at
            end
        where c.system in (
            select a.key
            from flowledger.rows_against_checks('{circuit}') as a
        )
        returning c.system
    )

    select count(*) from mended;
$$;
