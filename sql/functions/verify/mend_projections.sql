-- Have generations of projections, and rebuilds of tasks, say only what can be counted on from, and
-- those that serve the number of their tables, where it is known. Whoever led one of these begins
-- anew. Returns how many did not. Locks: their rows.

create or replace function flowledger.mend_projections()
returns bigint
language sql
volatile
as $$
    with misnumbered as materialized (
        select m.name, m.generation, m.tables
        from flowledger.misnumbered_generations() as m
        where m.tables is not null
    ),

    wrong as materialized (
        select a.relation, a.key
        from flowledger.rows_against_checks('{projection, projection_rebuild}') as a
        where a.check in ('projection_counts_check', 'projection_rebuild_tasks_check')
    ),

    generations as (
        update flowledger.projection as p
        set generation = coalesce(w.tables, p.generation),
            leader = case when w.tables is null then p.leader end,
            lease_until = case when w.tables is null then p.lease_until end,
            epoch = greatest(flowledger.bounded_count(p.epoch), 0) + (w.tables is not null)::integer,
            failures = least(greatest(p.failures, 0), flowledger.most_counted(1000000000)),
            position = greatest(p.position, 0),
            started_from = greatest(p.started_from, 0)
        from (
            select o.name, o.generation, m.tables
            from flowledger.projection as o
            left join misnumbered as m on m.name = o.name and m.generation = o.generation
            where m.tables is not null or exists (
                select from wrong as x
                where x.relation = 'projection' and x.key = concat_ws(' ', o.name, o.generation)
            )
        ) as w
        where p.name = w.name and p.generation = w.generation
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
