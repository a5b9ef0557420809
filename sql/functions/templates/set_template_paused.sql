-- Pause a template or let it go on: the event, which is to be the next of the template's stream,
-- and its row. Returns whether anything changed: not where it is so already, nor where there is no
-- such template. Locks: the template row, the log.

create or replace function flowledger.set_template_paused(
    p_template uuid, p_paused boolean, p_topic text, p_state bytea, p_encoding bigint
)
returns boolean
language plpgsql
volatile
as $$
begin
    update flowledger.template as t
    set paused = p_paused
    where t.template_id = p_template and t.paused <> p_paused;

    if not found then
        return false;
    end if;

    perform flowledger.append_events(
        array[p_template],
        array[(
            select max(e.originator_version) + 1
            from flowledger.event as e
            where e.originator_id = p_template
        )],
        array[p_topic], array[p_state], array[null::uuid], array[p_encoding]
    );
    return true;
end
$$;
