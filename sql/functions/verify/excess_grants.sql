-- Rights that somebody has and should not have, by the lists that the grants of the roles are made
-- from: a role of the engine on its tables, everybody on whatever there is, and any other login to
-- write, be it by a function or as the owner of what the owner of the tables should own, who is to own
-- the schema too. No role of the engine may grant on what it was granted. What others were granted to
-- read is an administrator's decision, and so are superusers.

create or replace function flowledger.excess_grants()
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    with granted as materialized (
        select
            c.oid, c.relname as relation, n.nspname as schema, c.relowner as owner,
            a.grantee, lower(a.privilege_type) as privilege, null as attribute, a.is_grantable
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        cross join lateral aclexplode(c.relacl) as a
        where n.nspname in ('flowledger', 'flowledger_v1')
        union all
        select
            c.oid, c.relname, n.nspname, c.relowner, a.grantee, lower(a.privilege_type), t.attname,
            a.is_grantable
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as t on t.attrelid = c.oid and t.attacl is not null
        cross join lateral aclexplode(t.attacl) as a
        where n.nspname in ('flowledger', 'flowledger_v1')
    ),

    superuser as materialized (
        select r.oid
        from pg_roles as r
        where r.rolsuper
    ),

    owner as materialized (
        select mode() within group (order by c.relowner) as oid
        from pg_class as c
        where c.relnamespace = 'flowledger'::regnamespace and c.relkind = 'r'
    ),

    role as materialized (
        select r.oid, r.rolname, n.name
        from unnest('{reader,auditor,submitter,operator,worker,coordinator}'::text[]) as n (name)
        join pg_roles as r on r.rolname = 'flowledger_' || n.name
    ),

    allowed as materialized (
        select r.oid, w.*
        from role as r
        cross join lateral flowledger.role_writes(r.name) as w
    )

    select
        case when g.grantee = 0 then 'everybody' else 'role ' || g.grantee::regrole end,
        format('%s on %s', g.privilege, coalesce(g.schema || '.' || g.relation || '.' || g.attribute,
        g.schema || '.' || g.relation)),
        'not granted', 'granted', 'the grants'
    from granted as g
    left join role as r on r.oid = g.grantee
    where g.grantee <> g.owner and g.grantee not in (select s.oid from superuser as s)
        and not (
            g.privilege = 'select' and g.grantee <> 0
            and (r.name is distinct from 'reader' or g.schema = 'flowledger_v1')
        )
        and not exists (
            select
            from allowed as a
            where a.oid = g.grantee and g.schema = 'flowledger' and a.relation = g.relation
                and a.privilege = g.privilege
                and (a.columns is null or g.attribute = any (a.columns))
        )
    union all
    select
        'role ' || o.oid::regrole, format('grant option for %s', o.what), 'not granted', 'granted',
        'the grants'
    from (
        select r.oid, format('%s on %s.%s', g.privilege, g.schema, g.relation) as what
        from granted as g
        join role as r on r.oid = g.grantee
        where g.is_grantable
        union all
        select r.oid, format('execute on %s', f.oid::regprocedure)
        from pg_proc as f
        join pg_namespace as n on n.oid = f.pronamespace
        cross join lateral aclexplode(f.proacl) as a
        join role as r on r.oid = a.grantee
        where n.nspname in ('flowledger', 'flowledger_v1') and a.is_grantable
    ) as o
    union all
    select
        case when a.grantee = 0 then 'everybody' else 'role ' || a.grantee::regrole end,
        format('%s on %s', lower(a.privilege_type), n.nspname), 'not granted', 'granted', 'the grants'
    from pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as a
    left join role as r on r.oid = a.grantee
    where n.nspname in ('flowledger', 'flowledger_v1')
        and (
            a.privilege_type = 'CREATE' and a.grantee <> n.nspowner
            or n.nspname = 'flowledger' and (a.grantee = 0 or r.name = 'reader')
        )
        and a.grantee not in (select s.oid from superuser as s)
    union all
    select
        'everybody', format('execute on %s', f.oid::regprocedure), 'not granted', 'granted',
        'the grants'
    from pg_proc as f
    join pg_namespace as n on n.oid = f.pronamespace
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
    where n.nspname in ('flowledger', 'flowledger_v1')
        and f.provolatile <> 'i' and a.grantee = 0
    union all
    select
        'role ' || a.grantee::regrole, format('execute on %s', f.oid::regprocedure), 'not granted',
        'granted', 'the grants'
    from pg_proc as f
    cross join lateral aclexplode(f.proacl) as a
    join role as r on r.oid = a.grantee
    where f.pronamespace = 'flowledger'::regnamespace and f.prosecdef
        and r.name <> all (case f.proname
            when 'store_template_steps' then '{submitter,worker,coordinator}'::text[]
            else '{worker}'
        end)
    union all
    select
        'role ' || a.grantee::regrole, format('execute on %s', f.oid::regprocedure), 'not granted',
        'granted', 'the grants'
    from pg_proc as f
    cross join lateral aclexplode(f.proacl) as a
    where f.pronamespace = 'flowledger'::regnamespace and f.provolatile = 'v'
        and a.grantee not in (0, f.proowner)
        and a.grantee not in (select s.oid from superuser as s)
        and not exists (select from role as r where r.oid = a.grantee)
    union all
    select
        'role ' || o.owner::regrole, format('owner of %s', o.name), 'not granted', 'granted',
        'the grants'
    from (
        select c.relowner as owner, c.oid::regclass::text as name
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname in ('flowledger', 'flowledger_v1') and c.relkind in ('r', 'p', 'v', 'S')
        union all
        select f.proowner, f.oid::regprocedure::text
        from pg_proc as f
        join pg_namespace as n on n.oid = f.pronamespace
        where n.nspname in ('flowledger', 'flowledger_v1')
        union all
        select n.nspowner, 'schema ' || n.nspname
        from pg_namespace as n
        where n.nspname in ('flowledger', 'flowledger_v1')
    ) as o
    where o.owner not in (select s.oid from superuser as s)
        and o.owner <> (select w.oid from owner as w)
    union all
    select
        'role ' || o.oid::regrole, 'owner of most tables of flowledger', 'not granted', 'granted',
        'the grants'
    from owner as o
    join pg_namespace as n on n.nspname = 'flowledger' and n.nspowner <> o.oid
    where o.oid not in (select s.oid from superuser as s);
$$;
