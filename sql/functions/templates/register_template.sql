-- Record a definition once: its row, its steps and its event. Returns the hash that is registered
-- under the name, which is the caller's unless another definition was first. Locks: the template
-- row, its steps, the log.

create or replace function flowledger.register_template(
    p_template uuid,
    p_namespace text,
    p_name text,
    p_version text,
    p_hash text,
    p_definition jsonb,
    p_topic text,
    p_state bytea,
    p_encoding bigint
)
returns text
language plpgsql
volatile
as $$
begin
    insert into flowledger.template
        (template_id, namespace, name, version, definition_hash, definition, registered_at)
    values
        (p_template, p_namespace, p_name, p_version, p_hash, p_definition, flowledger.clock())
    on conflict do nothing;

    if found then
        perform flowledger.store_template_steps(p_template);
        perform flowledger.append_events(
            array[p_template], array[1::bigint], array[p_topic], array[p_state],
            array[null::uuid], array[p_encoding]
        );
    end if;

    return (select definition_hash from flowledger.template where template_id = p_template);
end
$$;
