-- Make the row of a template and the rows of its steps anew, from what its events say. A row that
-- is there keeps the time of its registration. Locks: the template row, its steps.

create or replace function flowledger.repair_template(
    p_template uuid, p_namespace text, p_name text, p_version text, p_hash text, p_definition jsonb,
    p_paused boolean, p_registered_at timestamptz
)
returns void
language plpgsql
volatile
as $$
begin
    insert into flowledger.template (
        template_id, namespace, name, version, definition_hash, definition, registered_at, paused
    )
    values (
        p_template, p_namespace, p_name, p_version, p_hash, p_definition, p_registered_at, p_paused
    )
    on conflict (template_id) do update
    set namespace = excluded.namespace, name = excluded.name, version = excluded.version,
        definition_hash = excluded.definition_hash, definition = excluded.definition,
        paused = excluded.paused;

    perform flowledger.store_template_steps(p_template);
end
$$;
