-- Have generations of projections, and rebuilds of tasks, say only what can be counted on from.
-- Returns how many did not. Locks: their rows.

create or replace function flowledger.mend_projections()
returns bigint
language sql
volatile
as $$
    with wrong as materialized (
        select a.relation, a.key
        from flowledger.rows_against_checks('{projection, projection_rebuild}') as a
        where a.check in ('projection_counts_check', 'projection_rebuild_tasks_check')
    ),

    generations as (
        update flowledger.projection as p
        set epoch = greatest(flowledger.bounded_count(p.epoch), 0),
            failures = least(greatest(p.failures, 0), flowledger.most_counted(1000000000)),
            position = greatest(p.position, 0),
            started_from = greatest(p.started_from, 0)
        from wrong as w
        where w.relation = 'projection' and w.key = concat_ws(' ', p.name, p.generation)
        returning 1
    ),

    rebuilds as (
        update flowledger.projection_rebuild as r
        set tasks = greatest(flowledger.bounded_count(r.tasks), 0)
        from wrong as w
        where w.relation = 'projection_rebuild' and w.key = r.rebuild::text
        returning 1
    )

    select (select count(*) from generations) + (select count(*) from rebuilds);
$$;
