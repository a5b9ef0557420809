-- The payload of an event as JSON; null where it is compressed or encrypted, or is no JSON. What
-- Postgres cannot hold in text, U+0000, shows as U+FFFD.

create or replace function flowledger.payload_of(p_state bytea, p_encoding smallint)
returns jsonb
language plpgsql
immutable
as $$
begin
    return case p_encoding when 0 then convert_from(p_state, 'UTF8')::jsonb end;
exception
    when untranslatable_character then
        return regexp_replace(
            convert_from(p_state, 'UTF8'), '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g'
        )::jsonb;
    when data_exception then
        return null;
end
$$;
