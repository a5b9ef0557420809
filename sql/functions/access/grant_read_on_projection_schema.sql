-- Let those of the engine's roles that read all it stores read a schema of a projection too.

create or replace function flowledger.grant_read_on_projection_schema(p_schema text)
returns void
language plpgsql
volatile
as $$
declare
    v_role text;
begin
    for v_role in
        select r.rolname from pg_roles as r
        where r.rolname in (
            'flowledger_auditor', 'flowledger_submitter', 'flowledger_operator',
            'flowledger_worker', 'flowledger_coordinator'
        )
    loop
        execute format('grant usage on schema %I to %I', p_schema, v_role);
        execute format('grant select on all tables in schema %I to %I', p_schema, v_role);
    end loop;
end
$$;
