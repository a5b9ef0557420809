-- The payload of an event as JSON; null where it is compressed or encrypted, cannot be read,
-- is nested deeper than 254 levels, or has a number beyond those of 64-bit floats. What Postgres
-- cannot hold in text, U+0000, shows as U+FFFD.
--
-- A payload may begin with a head in binary: one byte (1, or 2 where there is a cause), the event's
-- id, its time in microseconds since 1970, the id of its cause. What follows is the text.

create or replace function flowledger.payload_json(p_state bytea, p_encoding smallint)
returns jsonb
language plpgsql
immutable
as $$
declare
    v_head jsonb := '{}';
    v_text bytea := p_state;
    v_json text;
    v_data jsonb;
    v_kind integer;
    v_time bigint;
    v_day constant bigint := 86400000000;
begin
    if p_encoding <> 0 then
        return null;
    end if;

    v_kind := get_byte(p_state, 0);

    if v_kind in (1, 2) then
        -- From the year 1 to the year 9999. Readers of views have no right to name the function
        -- time_from_microseconds here.
        v_time := ('x' || encode(substr(p_state, 18, 8), 'hex'))::bit(64)::bigint;
        v_time := least(greatest(v_time, -62135596800000000), 253402300799999999);
        v_head := jsonb_build_object(
            'event_id', encode(substr(p_state, 2, 16), 'hex')::uuid,
            'occurred_at', to_char(
                timestamp '1970-01-01' + (v_time / v_day)::double precision * interval '1 day'
                -- as one number it would be rounded
                + (v_time % v_day)::double precision * interval '1 microsecond',
                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
            )
        );
        v_text := substr(p_state, 26);
    end if;

    if v_kind = 2 then
        v_head := v_head || jsonb_build_object(
            'causation_id', encode(substr(p_state, 26, 16), 'hex')::uuid
        );
        v_text := substr(p_state, 42);
    end if;

    v_json := convert_from(v_text, 'UTF8');
    v_data := v_head || v_json::jsonb;

    -- As in readable_json, which readers may not name here either. Most texts are too short for so
    -- many levels or digits, and have no such exponent.
    if length(v_json) < 300 and v_json !~ '[0-9][eE][+]?[0-9]{3}' then
        return v_data;
    end if;

    return case
        when not jsonb_path_exists(
            v_data, 'strict $.**{254} ? (@.type() == "array" || @.type() == "object")'
        )
        and not jsonb_path_exists(
            v_data, 'strict $.**{0 to 254} ? (@.type() == "number"
                && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
        ) then v_data
    end;
exception
    when untranslatable_character then
        begin
            v_data := v_head || regexp_replace(
                v_json, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g'
            )::jsonb;
            return case
                when not jsonb_path_exists(
                    v_data, 'strict $.**{254} ? (@.type() == "array" || @.type() == "object")'
                )
                and not jsonb_path_exists(
                    v_data, 'strict $.**{0 to 254} ? (@.type() == "number"
                        && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
                ) then v_data
            end;
        exception
            when data_exception or statement_too_complex then
                return null;
        end;
    when data_exception or statement_too_complex then
        return null;
end
$$;
