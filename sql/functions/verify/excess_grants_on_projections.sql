-- Rights on the tables of projections, and on the views of them, that somebody has and should not
-- have: to write what is not one's own, to make something there, or to own it. Whom a projection's
-- own tables grant something is its author's decision, and so is who may read; but what comes with
-- the engine is not everybody's, nor the reader's, who has the public views.

create or replace function flowledger.excess_grants_on_projections()
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    with superuser as materialized (
        select r.oid
        from pg_roles as r
        where r.rolsuper
    ),

    engine as (
        select mode() within group (order by c.relowner) as owner
        from pg_class as c
        where c.relnamespace = 'flowledger'::regnamespace and c.relkind = 'r'
    ),

    schema as materialized (
        select
            n.oid, n.nspname as name, n.nspowner as owner, n.nspacl as acl,
            coalesce(to_regrole(quote_ident(s.role))::oid, e.owner) as expected, s.grants, s.shipped
        from (
            select
                p.name, null as role, bool_or(p.tables ~* '\mgrant\M') as grants,
                p.name ^@ 'flowledger_' as shipped
            from flowledger.projection as p
            group by p.name
            union all
            select p.name || '__' || p.generation, p.role, p.tables ~* '\mgrant\M',
                p.name ^@ 'flowledger_'
            from flowledger.projection as p
        ) as s
        join pg_namespace as n on n.nspname = s.name
        cross join engine as e
    ),

    relation as materialized (
        select s.name as schema, s.grants, s.shipped, s.expected, c.oid, c.relname, c.relowner, c.relacl
        from schema as s
        join pg_class as c on c.relnamespace = s.oid and c.relkind in ('r', 'p', 'v', 'm', 'S')
    ),

    granted as (
        select r.schema, r.relname || coalesce('.' || t.attname, '') as name, r.relowner as owner,
            r.shipped, a.grantee, lower(a.privilege_type) as privilege
        from relation as r
        left join pg_attribute as t on t.attrelid = r.oid and t.attacl is not null
        cross join lateral aclexplode(coalesce(t.attacl, r.relacl)) as a
        where not r.grants
        union all
        select r.schema, r.relname, r.relowner, r.shipped, a.grantee, lower(a.privilege_type)
        from relation as r
        cross join lateral aclexplode(r.relacl) as a
        where not r.grants and exists (
            select from pg_attribute as t where t.attrelid = r.oid and t.attacl is not null
        )
    )

    select
        case when g.grantee = 0 then 'everybody' else 'role ' || g.grantee::regrole end,
        format('%s on %s.%s', g.privilege, g.schema, g.name), 'not granted', 'granted', 'the grants'
    from granted as g
    where g.grantee <> g.owner and g.grantee not in (select u.oid from superuser as u) and (
        g.privilege <> 'select'
        or g.shipped and (g.grantee = 0 or g.grantee = to_regrole('flowledger_reader')::oid)
    )
    union all
    select
        case when a.grantee = 0 then 'everybody' else 'role ' || a.grantee::regrole end,
        format('create on %s', s.name), 'not granted', 'granted', 'the grants'
    from schema as s
    cross join lateral aclexplode(s.acl) as a
    where a.privilege_type = 'CREATE' and a.grantee <> s.owner
        and a.grantee not in (select u.oid from superuser as u)
    union all
    select 'role ' || o.owner::regrole, format('owner of %s', o.name), 'not granted', 'granted',
        'the grants'
    from (
        select s.owner, 'schema ' || s.name as name, s.expected from schema as s
        union all
        select r.relowner, r.schema || '.' || r.relname, r.expected from relation as r
        union all
        select f.proowner, f.oid::regprocedure::text, s.expected
        from schema as s
        join pg_proc as f on f.pronamespace = s.oid
    ) as o
    join pg_roles as r on r.oid = o.owner
    where not r.rolsuper and o.owner <> o.expected;
$$;
