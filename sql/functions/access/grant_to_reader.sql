-- Let the role flowledger_reader read the schema flowledger_v1, and nothing else; the role is made
-- where it is missing and the caller may make it. Returns whether there is such a role. An
-- administrator who makes it later calls this again.

create or replace function flowledger.grant_to_reader()
returns boolean
language plpgsql
volatile
as $$
begin
    begin
        if to_regrole('flowledger_reader') is null then
            create role flowledger_reader nologin;
        end if;
    exception
        -- Roles belong to the server: another database may be migrated at the same moment.
        when duplicate_object or unique_violation then
            null;
        when insufficient_privilege then
            return false;
    end;

    grant usage on schema flowledger_v1 to flowledger_reader;
    grant select on all tables in schema flowledger_v1 to flowledger_reader;
    grant execute on all functions in schema flowledger_v1 to flowledger_reader;
    alter default privileges in schema flowledger_v1 grant select on tables to flowledger_reader;

    return true;
end
$$;
