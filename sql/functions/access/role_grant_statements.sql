-- The statements that let a role do its work and nothing else: what it was granted before is taken
-- from it first, and from everybody the right to call functions, which a restore without the rights
-- of the dump gives. Functions run with the rights of whoever calls them, so what a role may do is
-- what it may do to tables; the few that run with the owner's rights are for the roles that need
-- them. All but the reader read all that the engine stores; who may append to the log may append
-- anything. Raises 22023 for a role that is none of these.

create or replace function flowledger.role_grant_statements(p_role text)
returns setof text
language plpgsql
stable
as $$
declare
    v_role constant text := quote_ident('flowledger_' || p_role);
    r record;
begin
    perform flowledger.role_writes(p_role);

    return next 'select flowledger.close_to_public()';
    return next format('revoke all on all tables in schema flowledger, flowledger_v1 from %s', v_role);
    return next format('revoke all on all functions in schema flowledger, flowledger_v1 from %s', v_role);
    return next format('revoke all on schema flowledger from %s', v_role);
    return next format('grant usage on schema flowledger_v1 to %s', v_role);
    return next format('grant select on all tables in schema flowledger_v1 to %s', v_role);
    return next format('grant execute on all functions in schema flowledger_v1 to %s', v_role);

    if p_role = 'reader' then
        return;
    end if;

    return next format('grant usage on schema flowledger to %s', v_role);
    return next format('grant select on all tables in schema flowledger to %s', v_role);
    return next format('grant execute on all functions in schema flowledger to %s', v_role);

    for r in
        select f.oid::regprocedure as name
        from pg_proc as f
        where f.pronamespace = 'flowledger'::regnamespace and f.prosecdef
            and p_role <> all (case f.proname
                when 'store_template_steps' then '{submitter,worker,coordinator}'::text[]
                else '{worker}'
            end)
        order by f.proname
    loop
        return next format('revoke execute on function %s from %s', r.name, v_role);
    end loop;

    for r in
        select quote_ident(n.nspname) as name
        from flowledger.projection as p
        join pg_namespace as n on n.nspname in (p.name, p.name || '__' || p.generation)
        group by n.nspname
        order by n.nspname
    loop
        return next format('grant usage on schema %s to %s', r.name, v_role);
        return next format('grant select on all tables in schema %s to %s', r.name, v_role);
    end loop;

    return query
    select format('grant %s on flowledger.%I to %s',
        w.privilege || coalesce(' (' || array_to_string(w.columns, ', ') || ')', ''),
        w.relation, v_role)
    from flowledger.role_writes(p_role) as w;
end
$$;
