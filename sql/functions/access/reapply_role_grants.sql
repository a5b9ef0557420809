-- Give the roles of the server that are named after the engine's their rights again, as the schema
-- has changed; those of them that read are made where they are missing and the caller may make
-- them. Nobody else may call the functions. Returns the roles.

create or replace function flowledger.reapply_role_grants()
returns setof text
language plpgsql
volatile
as $$
declare
    v_role text;
    v_statement text;
begin
    perform flowledger.close_to_public();
    perform flowledger.grant_to_reader();

    begin
        if to_regrole('flowledger_auditor') is null then
            create role flowledger_auditor nologin;
        end if;
    exception
        when duplicate_object or unique_violation or insufficient_privilege then
            null;
    end;

    foreach v_role in array '{reader,auditor,submitter,operator,worker,coordinator}'::text[] loop
        continue when to_regrole('flowledger_' || v_role) is null;

        for v_statement in select * from flowledger.role_grant_statements(v_role) loop
            execute v_statement;
        end loop;

        return next v_role;
    end loop;
end
$$;
