-- The stream of a system's circuit, as circuit_id in engine/domain/limits/circuit_breaker.py has it:
-- a UUID of version 8, made of the first half of a digest.

create or replace function flowledger.circuit_stream(p_system text)
returns uuid
language sql
immutable
as $$
    select encode(
        set_byte(
            set_byte(d.half, 6, get_byte(d.half, 6) & 15 | 128), 8, get_byte(d.half, 8) & 63 | 128
        ),
        'hex'
    )::uuid
    from (
        select substr(
            sha256('\x63697263756974'::bytea || '\x00'::bytea || convert_to(p_system, 'UTF8')), 1, 16
        ) as half
    ) as d;
$$;
