-- The payload of a StepStarted, as the engine's mapper writes it where nothing is compressed or
-- encrypted: see payload_json. p_now: microseconds since 1970, UTC. A correlation id that is the
-- task's id is left out; names are in the text where they do not fit into the head. One expression,
-- so that the planner puts it in the place of a call.
-- drop: function flowledger.step_started_payload(uuid, text, uuid, text, uuid, text, integer, uuid)

create or replace function flowledger.step_started_payload(
    p_event uuid, p_now bigint, p_task uuid, p_correlation text, p_namespace text, p_template text,
    p_step text, p_attempt integer, p_worker uuid
)
returns bytea
language sql
stable
as $$
    select case
            when octet_length(p_namespace || p_template || p_step) < 254
                and strpos(p_namespace || p_template || p_step, '/') = 0
                and p_attempt between 0 and 32767
                then '\x05'::bytea
            else '\x01'::bytea
        end
        || uuid_send(p_event) || int8send(p_now)
        || case
            when octet_length(p_namespace || p_template || p_step) < 254
                and strpos(p_namespace || p_template || p_step, '/') = 0
                and p_attempt between 0 and 32767
                then uuid_send(p_worker)
                    || set_byte(
                        '\x00'::bytea, 0, octet_length(p_namespace || p_template || p_step) + 2
                    )
                    || convert_to(p_namespace || '/' || p_template || '/' || p_step, 'UTF8')
                    || int2send(p_attempt::smallint)
                    || case
                        when p_correlation = p_task::text then ''::bytea
                        else convert_to(
                            '{"correlation_id":' || to_json(p_correlation) || '}', 'UTF8'
                        )
                    end
            else convert_to(
                case
                    when p_correlation = p_task::text then '{'
                    else '{"correlation_id":' || to_json(p_correlation) || ','
                end
                || '"namespace":' || to_json(p_namespace) || ',"template":' || to_json(p_template)
                || ',"step":' || to_json(p_step) || ',"attempt":' || p_attempt
                || ',"worker":"' || p_worker || '"}',
                'UTF8'
            )
        end;
$$;
