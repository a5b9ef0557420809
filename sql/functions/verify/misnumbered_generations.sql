-- Generations that serve by a number for which there is no schema of tables, and the number of the
-- tables that must be theirs: those of the projection's name that no other generation has. It is
-- null where there are none, or several.

create or replace function flowledger.misnumbered_generations()
returns table (name text, generation integer, tables integer)
language sql
stable
as $$
    select p.name, p.generation, m.tables
    from flowledger.projection as p
    cross join lateral (
        select case when count(*) = 1 then min(f.number) end as tables
        from (
            select substr(n.nspname, length(p.name) + 3)::integer as number
            from pg_namespace as n
            where starts_with(n.nspname, p.name || '__')
                and substr(n.nspname, length(p.name) + 3) ~ '^[1-9][0-9]{0,8}$'
        ) as f
        where not exists (
            select from flowledger.projection as o
            where o.name = p.name and o.generation = f.number
        )
    ) as m
    where p.state = 'serving'
        and not exists (
            select from pg_namespace as n where n.nspname = p.name || '__' || p.generation
        )
    order by p.name;
$$;
