-- What came of parked events that an operator wanted retried or dropped: those that were applied
-- go, those that were dropped stay as such, those that failed again stay with what was said, and
-- where it raised. Locks: the rows of these events.
-- drop: function flowledger.record_parked_outcomes(text, integer, bigint[], bigint[], text)

create or replace function flowledger.record_parked_outcomes(
    p_name text, p_generation integer, p_done bigint[], p_failed bigint[], p_error text,
    p_traceback text default null
)
returns void
language sql
volatile
as $$
    delete from flowledger.parked_event as k
    where k.name = p_name and k.generation = p_generation and k.position = any (p_done)
        and k.requested_action = 'retry';

    update flowledger.parked_event as k
    set requested_action = 'dropped'
    where k.name = p_name and k.generation = p_generation and k.position = any (p_done)
        and k.requested_action = 'drop';

    update flowledger.parked_event as k
    set requested_action = null, error = p_error, traceback = p_traceback
    where k.name = p_name and k.generation = p_generation and k.position = any (p_failed);
$$;
