-- Roles by whose rights somebody may write here who should not: logins that may act as the owner of
-- the schema, where that is a login itself, or write all data of the server, and roles of the engine
-- that are members of anything, but for what reads. Who is a member of a role of the engine, or of an
-- owner that nobody logs in as, is an administrator's decision; superusers are administrators.

create or replace function flowledger.excess_memberships()
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    with owner as (
        select r.oid, r.rolname, r.rolcanlogin
        from pg_roles as r
        join pg_namespace as n on n.nspowner = r.oid
        where n.nspname = 'flowledger'
    ),

    powerful as (
        select o.oid, o.rolname from owner as o where o.rolcanlogin
        union
        select r.oid, r.rolname from pg_roles as r where r.rolname = 'pg_write_all_data'
    )

    select 'role ' || r.oid::regrole, format('member of %s', p.oid::regrole), 'not granted', 'granted',
        'the grants'
    from pg_roles as r
    cross join powerful as p
    where r.rolcanlogin and not r.rolsuper and r.oid <> p.oid
        and r.oid <> all (select o.oid from owner as o)
        and (
            pg_has_role(r.oid, p.oid, 'usage')
            -- from 16 on a member may be one that can grant the role and not act as it
            or pg_has_role(r.oid, p.oid, case
                when current_setting('server_version_num')::integer < 160000 then 'member' else 'set'
            end)
        )
    union all
    select 'role ' || r.oid::regrole, format('member of %s', m.roleid::regrole), 'not granted',
        'granted', 'the grants'
    from pg_auth_members as m
    join pg_roles as r on r.oid = m.member
    where r.rolname = any (
            '{flowledger_reader,flowledger_auditor,flowledger_submitter,flowledger_operator,'
            'flowledger_worker,flowledger_coordinator}'::text[]
        )
        and m.roleid::regrole::text <> 'pg_read_all_data';
$$;
