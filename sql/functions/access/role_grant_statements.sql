-- The statements that let a role do its work and nothing else. Functions run with the rights of
-- whoever calls them, so what a role may do is what it may do to tables. All but the reader read
-- all that the engine stores; who may append to the log may append anything. Raises 22023 for a
-- role that is none of these.

create or replace function flowledger.role_grant_statements(p_role text)
returns setof text
language plpgsql
stable
as $$
declare
    v_role constant text := quote_ident('flowledger_' || p_role);
    -- Where in the log an event stands, and when it was recorded, the table says.
    v_append constant text[] := array[
        'insert (originator_id, originator_version, task_id, topic, state, encoding)'
        ' on flowledger.event',
        'delete on flowledger.log_lock'
    ];
    -- Not the tables of a projection: what stands there is made with the owner's rights.
    v_projection constant text := 'update (paused, state, position, epoch, leader, moved_at,'
        ' failures, failure, failure_traceback, failed_at, failed_position)'
        ' on flowledger.projection';
    v_register constant text[] := '{"insert, update on flowledger.template",'
        '"insert, update, delete on flowledger.template_step"}';
    v_writes text[];
    r record;
begin
    v_writes := case p_role
        when 'reader' then '{}'
        when 'auditor' then '{}'
        when 'submitter' then v_append || v_register || '{"insert, update on flowledger.identity",'
            'insert on flowledger.submission}'::text[]
        when 'operator' then v_append || v_projection || '{update on flowledger.template,'
            '"insert, update on flowledger.parked_event",'
            '"insert, update on flowledger.projection_rebuild"}'::text[]
        when 'worker' then v_append || v_register || '{"insert, update, delete on flowledger.worker",'
            '"update, delete on flowledger.queue"}'::text[]
        when 'coordinator' then v_append
    end;

    if v_writes is null then
        raise exception 'there is no role %: expected reader, auditor, submitter, operator, worker or'
            ' coordinator', p_role
            using errcode = '22023';
    end if;

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
        select quote_ident(n.nspname) as name
        from flowledger.projection as p
        join pg_namespace as n on n.nspname in (p.name, p.name || '__' || p.generation)
        group by n.nspname
        order by n.nspname
    loop
        return next format('grant usage on schema %s to %s', r.name, v_role);
        return next format('grant select on all tables in schema %s to %s', r.name, v_role);
    end loop;

    if p_role = 'coordinator' then
        return query
        select format('grant insert, update, delete on %s to %s', c.oid::regclass, v_role)
        from pg_class as c
        where c.relnamespace = 'flowledger'::regnamespace and c.relkind = 'r'
            and c.relname not in (
                'event', 'migration', 'applied_file', 'clock_offset', 'tracking', 'projection',
                'projection_host', 'projection_rebuild', 'parked_event'
            )
        order by c.relname;
    end if;

    return query select format('grant %s to %s', w, v_role) from unnest(v_writes) as w;
end
$$;
