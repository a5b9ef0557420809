-- Remove a projection that nobody runs any more: its tables, its views, and what is noted of it;
-- its role stays. Returns false where there is none of the name. Raises FL008 where a process runs
-- it, where something depends on its views, and of one that comes with the engine;
-- lock_not_available where somebody reads it. Locks: one for all projections, the rows, the tables
-- and views.

create or replace function flowledger.remove_projection(p_name text)
returns boolean
language plpgsql
volatile
as $$
declare
    v_runs text;
    r record;
begin
    perform set_config('lock_timeout', '500ms', true);
    lock table flowledger.projection_lock in share update exclusive mode;
    perform from flowledger.projection as p where p.name = p_name for update;

    if not found then
        return false;
    end if;

    if exists (select from flowledger.projection as p where p.name = p_name and p.role is null) then
        raise exception 'projection % stays: it comes with the engine',
        p_name using errcode = 'FL008';
    end if;

    select format('process %s on %s runs it', o.pid, o.host) into v_runs
    from flowledger.projection as p
    join flowledger.projection_host as o on o.host_id = p.leader
    where p.name = p_name and flowledger.lease_is_unexpired(p.lease_until, p.lease_seconds)
    limit 1;

    if found then
        raise exception 'projection % stays: %', p_name, v_runs using errcode = 'FL008';
    end if;

    for r in
        select v.viewname from pg_views as v where v.schemaname = p_name
    loop
        execute format('drop view %I.%I', p_name, r.viewname);
    end loop;

    execute format('drop schema if exists %I', p_name);

    for r in
        select p.generation from flowledger.projection as p where p.name = p_name
    loop
        execute format('drop schema if exists %I cascade', p_name || '__' || r.generation);
    end loop;

    delete from flowledger.parked_event as k where k.name = p_name;
    delete from flowledger.projection_rebuild as b where b.name = p_name;
    delete from flowledger.projection as p where p.name = p_name;

    perform pg_notify('flowledger.projection', p_name);
    return true;
exception
    when dependent_objects_still_exist then
        raise exception 'projection % stays: something depends on it (%)', p_name, sqlerrm
            using errcode = 'FL008';
end
$$;
