-- The payload of an event as JSON; null where it is compressed or encrypted, cannot be read,
-- is nested deeper than 254 levels, or has a number beyond those of 64-bit floats. What Postgres
-- cannot hold in text, U+0000, shows as U+FFFD.
--
-- A payload may begin with a head in binary: one byte that says which, the event's id, its time in
-- microseconds since 1970; with an even byte the id of its cause; with 5 and 6 the id of the worker;
-- from 3 on the length of the names in bytes, `namespace/template` or `namespace/template/step`, and
-- of a step the attempt in two bytes. What follows is the text; behind names there may be none.

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
    v_at integer := 26;
    v_names text[];
begin
    if p_encoding <> 0 then
        return null;
    end if;

    v_kind := get_byte(p_state, 0);

    if v_kind between 1 and 6 then
        -- From the year 1 to the year 9999. Readers of views have no right to name the function
        -- time_from_microseconds here.
        v_time := ('x' || encode(substr(p_state, 18, 8), 'hex'))::bit(64)::bigint;
        v_time := least(greatest(v_time, -62135596800000000), 253402300799999999);
        v_at := case when v_kind % 2 = 0 then 42 else 26 end + case when v_kind > 4 then 16 else 0 end;
        if v_kind > 2 then
            v_names := string_to_array(
                convert_from(substr(p_state, v_at + 1, get_byte(p_state, v_at - 1)), 'UTF8'), '/'
            );
            if cardinality(v_names) not in (2, 3) then
                return null;
            end if;
            v_at := v_at + 1 + get_byte(p_state, v_at - 1)
                + case when cardinality(v_names) = 3 then 2 else 0 end;
        end if;
        v_head := jsonb_strip_nulls(jsonb_build_object(
            'event_id', encode(substr(p_state, 2, 16), 'hex')::uuid,
            'occurred_at', to_char(
                timestamp '1970-01-01' + (v_time / v_day)::double precision * interval '1 day'
                -- as one number it would be rounded
                + (v_time % v_day)::double precision * interval '1 microsecond',
                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
            ),
            'causation_id',
            case when v_kind % 2 = 0 then encode(substr(p_state, 26, 16), 'hex')::uuid end,
            'worker',
            case
                when v_kind > 4
                    then encode(substr(p_state, case v_kind when 5 then 26 else 42 end, 16), 'hex')::uuid
            end,
            'namespace', v_names[1],
            'template', v_names[2],
            'step', v_names[3],
            'attempt',
            case
                when v_names[3] is not null
                    then get_byte(p_state, v_at - 3) * 256 + get_byte(p_state, v_at - 2)
            end
        ));
        if v_kind > 2 and length(p_state) = v_at - 1 then
            return v_head;
        end if;
        v_text := substr(p_state, v_at);
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
