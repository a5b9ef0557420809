-- Trigger: whoever moves the engine's time is in the log, with the time that it is then, also where
-- the offset is written by hand. Who and why is what advance_test_clock was told; else the login.
-- Locks: the log.

create or replace function flowledger.record_clock_offset_change()
returns trigger
language plpgsql
as $$
declare
    v_stream constant uuid := gen_random_uuid();
    v_now constant bigint
        := extract(epoch from flowledger.readable_time(flowledger.clock())) * 1000000;
    v_said constant json := json_build_object(
        'correlation_id', v_stream,
        'actor', coalesce(nullif(current_setting('flowledger.actor', true), ''), session_user),
        'reason', coalesce(
            nullif(current_setting('flowledger.reason', true), ''), 'clock_offset was written'
        ),
        'by_seconds', extract(epoch from new.shift - coalesce(old.shift, interval '0')),
        'ahead_seconds', extract(epoch from new.shift)
    );
begin
    perform flowledger.append_per_stream(
        array[v_stream], array[1::bigint], array['clock.moved'],
        array[
            '\x01'::bytea || uuid_send(gen_random_uuid()) || int8send(v_now)
            || convert_to(v_said::text, 'UTF8')
        ],
        array[null::uuid], array[0::bigint], 'engine'
    );

    return null;
end
$$;

create or replace trigger clock_moves_are_recorded
after update on flowledger.clock_offset
for each row when (old.shift is distinct from new.shift)
execute function flowledger.record_clock_offset_change();

create or replace trigger clock_moves_are_recorded_at_once
after insert on flowledger.clock_offset
for each row when (new.shift <> '00:00:00'::interval)
execute function flowledger.record_clock_offset_change();
