-- The role that owns a projection's tables in this database, made where it is missing. Roles belong
-- to the server, hence the database in the name. Raises FL008 where it may not be made.
-- drop: function flowledger.ensure_projection_role(text, boolean)

create or replace function flowledger.ensure_projection_role(p_name text)
returns text
language plpgsql
volatile
as $$
declare
    v_role constant text :=
        'flowledger_p_' || left(md5(current_database() || ' ' || p_name), 24);
begin
    begin
        if not exists (select from pg_roles where rolname = v_role) then
            execute format('create role %I nologin', v_role);
        end if;
    exception
        when duplicate_object or unique_violation then
            null;  -- another made it at the same moment
    end;

    -- Whoever may make a role need not be one of its members.
    if not pg_has_role(current_user, v_role, 'usage') then
        execute format('grant %I to current_user', v_role);
    end if;

    return v_role;
exception
    when insufficient_privilege then
        raise exception
            'the role % may not make roles, and projection % needs one of its own: have an'
            ' administrator run: create role "%" nologin; grant "%" to "%"',
            current_user, p_name, v_role, v_role, current_user
            using errcode = 'FL008';
end
$$;
