-- Note that a generation stands at an event that it cannot take. Nothing happens where the caller
-- no longer leads. Locks: its row.
-- drop: function flowledger.record_failed_event(text, integer, bigint, bigint, text)

create or replace function flowledger.record_failed_event(
    p_name text, p_generation integer, p_epoch bigint, p_position bigint, p_failure text,
    p_traceback text default null
)
returns void
language sql
volatile
as $$
    update flowledger.projection as p
    set failed_position = p_position, failure = p_failure,
        failure_traceback = p_traceback,
        failures = least(greatest(p.failures, 0), flowledger.most_counted(1000000000)) + 1,
        failed_at = coalesce(p.failed_at, flowledger.clock())
    where p.name = p_name and p.generation = p_generation and p.epoch = p_epoch;
$$;
