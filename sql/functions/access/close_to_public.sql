-- Take from everybody the right to call the engine's functions that the server gives with each new
-- one. What only computes stays: views call it with the rights of whoever reads them, and nobody
-- can name it who has no right to the schema. Called when the schema has changed.

create or replace function flowledger.close_to_public()
returns void
language plpgsql
volatile
as $$
declare
    r record;
begin
    for r in
        select f.oid::regprocedure as name
        from pg_proc as f
        join pg_namespace as n on n.oid = f.pronamespace
        where n.nspname in ('flowledger', 'flowledger_v1')
            and f.provolatile <> 'i'
            and has_function_privilege('public', f.oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', r.name);
    end loop;
end
$$;
