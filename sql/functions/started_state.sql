-- The payload of a StepStarted, as the engine's mapper writes it where nothing is compressed or
-- encrypted. p_now: microseconds since 1970, UTC. A correlation id that is the task's id is left out.
-- drop: function flowledger.started_state(uuid, text, uuid, text, uuid, text, integer, uuid)

create or replace function flowledger.started_state(
    p_event uuid, p_now bigint, p_task uuid, p_correlation text, p_template uuid, p_step text,
    p_attempt integer, p_worker uuid
)
returns bytea
language sql
stable
as $$
    select '\x01'::bytea || uuid_send(p_event) || int8send(p_now) || convert_to(
        format(
            '{%s"namespace":%s,"template":%s,"step":%s,"attempt":%s,"worker":"%s"}',
            case when p_correlation <> p_task::text then '"correlation_id":' || to_json(p_correlation) || ',' end,
            to_json(t.namespace),
            to_json(t.name),
            to_json(p_step),
            p_attempt,
            p_worker
        ),
        'UTF8'
    )
    from flowledger.template as t
    where t.template_id = p_template;
$$;
