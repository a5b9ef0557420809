-- Record a definition once: its row, its steps and its event. Returns the hash that is registered
-- under the name, which is the caller's unless another definition was first. A row that is gone
-- while the log has its event is made again. Locks: the template row, its steps, the log.

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
declare
    v_recorded text;
begin
    select coalesce(flowledger.payload_json(e.state, e.encoding) ->> 'definition_hash', p_hash)
    into v_recorded
    from flowledger.event as e
    where e.originator_id = p_template and e.originator_version = 1;

    if v_recorded <> p_hash then
        return v_recorded;
    end if;

    insert into flowledger.template
        (template_id, namespace, name, version, definition_hash, definition, registered_at)
    values
        (p_template, p_namespace, p_name, p_version, p_hash, p_definition, flowledger.clock())
    on conflict do nothing;

    if found then
        perform flowledger.store_template_steps(p_template);

        if v_recorded is null then
            perform flowledger.append_events(
                array[p_template], array[1::bigint], array[p_topic], array[p_state],
                array[null::uuid], array[p_encoding]
            );
        end if;
    end if;

    return (select definition_hash from flowledger.template where template_id = p_template);
end
$$;
