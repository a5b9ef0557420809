-- The payload of a StepStarted, as the engine's mapper writes it where nothing is compressed or
-- encrypted. p_now: microseconds since 1970, UTC. A correlation id that is the task's id is left
-- out. One expression, so that the planner puts it in the place of a call.
-- drop: function flowledger.step_started_payload(uuid, text, uuid, text, uuid, text, integer, uuid)

create or replace function flowledger.step_started_payload(
    p_event uuid, p_now bigint, p_task uuid, p_correlation text, p_namespace text, p_template text,
    p_step text, p_attempt integer, p_worker uuid
)
returns bytea
language sql
stable
as $$
    select '\x01'::bytea || uuid_send(p_event) || int8send(p_now) || convert_to(
        case when p_correlation = p_task::text then '{' else '{"correlation_id":' || to_json(p_correlation) || ',' end
        || '"namespace":' || to_json(p_namespace) || ',"template":' || to_json(p_template)
        || ',"step":' || to_json(p_step) || ',"attempt":' || p_attempt || ',"worker":"' || p_worker || '"}',
        'UTF8'
    );
$$;
