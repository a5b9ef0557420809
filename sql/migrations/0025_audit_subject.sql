-- The read model flowledger_audit has a column more, which the public view of it shows: what was
-- made before gets it, and has nothing in it until the new version of the read model serves.

do $add$
declare
    made record;
begin
    for made in
        select p.generation, format('flowledger_audit__%s', p.generation) as schema
        from flowledger.projection as p
        where p.name = 'flowledger_audit'
    loop
        if to_regclass(made.schema || '.operator_action') is not null then
            execute format(
                'alter table %I.operator_action add column if not exists subject text', made.schema
            );
        end if;
    end loop;

    select p.generation, format('flowledger_audit__%s', p.generation) as schema into made
    from flowledger.projection as p
    where p.name = 'flowledger_audit' and p.state = 'serving';
    if found and to_regclass('flowledger_audit.operator_action') is not null then
        execute format(
            'create or replace view flowledger_audit.operator_action as'
            ' select * from %I.operator_action', made.schema
        );
    end if;
end
$add$;
