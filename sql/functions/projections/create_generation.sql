-- Make the next generation of a projection: its schema, its tables, and its row. The first one of a
-- name serves at once; a later one is built beside the one that serves. Where that version is being
-- built, or serves and p_anew is false, its generation is returned and nothing is made. What is
-- being built of another version is given up. Returns null for a version that is behind.
--
-- With p_own_role the tables are made by a role of the projection's own, which may write nowhere
-- else; without, by whoever calls this. p_code is a fingerprint of the code that it is built with,
-- null where nobody knows. Where that of a generation that is there is another, or its tables are,
-- this is noted. Locks: one for all projections.
-- drop: function flowledger.create_generation(text, integer, text, boolean, boolean)

create or replace function flowledger.create_generation(
    p_name text, p_version integer, p_tables text, p_anew boolean, p_own_role boolean,
    p_code text default null
)
returns integer
language plpgsql
volatile
as $$
declare
    v_generation integer;
    v_newest integer;
    v_schema text;
    v_role text;
    v_serves boolean;
begin
    lock table flowledger.projection_lock in share update exclusive mode;

    select max(p.version), bool_or(p.state = 'serving')
    into v_newest, v_serves
    from flowledger.projection as p
    where p.name = p_name and p.state <> 'retired';

    if v_newest > p_version then
        return null;
    end if;

    select p.generation into v_generation
    from flowledger.projection as p
    where p.name = p_name and p.version = p_version
        and (p.state = 'building' or p.state = 'serving' and not p_anew)
    order by p.generation desc
    limit 1;

    if found then
        update flowledger.projection as p
        set other_code = p_code,
            code_changed_at = coalesce(p.code_changed_at, flowledger.clock())
        where p.name = p_name and p.version = p_version and p.state <> 'retired'
            and (p.code <> p_code or p.tables <> p_tables and p_code is not null)
            and p.other_code is distinct from p_code;

        return v_generation;
    end if;

    update flowledger.projection as p
    set state = 'retired', leader = null
    where p.name = p_name and p.state = 'building';

    select coalesce(max(p.generation), 0) + 1 into v_generation
    from flowledger.projection as p
    where p.name = p_name;

    v_schema := p_name || '__' || v_generation;

    if v_generation = 1 then
        if to_regnamespace(quote_ident(p_name)) is not null then
            raise exception 'the schema % is there already, and is not a projection''s', p_name
                using errcode = 'FL008', hint = 'give the projection another name';
        end if;

        execute format('create schema %I', p_name);
    end if;

    if p_own_role then
        v_role := flowledger.ensure_projection_role(p_name);
    end if;

    if v_role is null then
        execute format('create schema %I', v_schema);
    else
        execute format('create schema %I authorization %I', v_schema, v_role);
        perform set_config('role', v_role, true);
    end if;

    perform set_config('search_path', quote_ident(v_schema), true);
    execute replace(p_tables, '{schema}', quote_ident(v_schema));
    execute format('revoke execute on all functions in schema %I from public', v_schema);
    -- What the tables' own triggers put off to the end must not run with the engine's rights.
    set constraints all immediate;
    perform set_config('role', 'none', true), set_config('search_path', 'pg_catalog, pg_temp',
    true);

    insert into flowledger.projection (
        name, generation, version, state, tables, role, code, no_effects_until, paused,
        created_at, moved_at
    )
    select
        p_name, v_generation, p_version, case when v_serves then 'building' else 'serving' end,
        p_tables, v_role, p_code,
        case when v_serves then 0 else (select coalesce(max(e.notification_id),
        0) from flowledger.event as e) end,
        coalesce((select bool_or(p.paused) from flowledger.projection as p
        where p.name = p_name and p.state = 'serving'), false),
        flowledger.clock(), flowledger.clock();

    if v_serves is not true then
        perform flowledger.point_views_at_generation(p_name, v_generation);
    end if;

    perform pg_notify('flowledger.projection', p_name);
    return v_generation;
end
$$;
