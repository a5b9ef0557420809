-- Whether an event of these very bytes, but for its time (see payload_not_before_previous), is in the stream, once
-- every commit that is under way is through: for a writer whose answer was lost. Locks: the log.

create or replace function flowledger.confirm_recorded(p_stream uuid, p_state bytea)
returns boolean
language plpgsql
volatile
as $$
begin
    perform flowledger.lock_log();

    return exists (
        select
        from flowledger.event as e
        where e.originator_id = p_stream
            and (
                e.state = p_state
                or flowledger.payload_occurred_at(e.state, e.encoding) > flowledger.payload_occurred_at(p_state, 0)
                and overlay(e.state placing substr(p_state, 18, 8) from 18 for 8) = p_state
            )
    );
end
$$;
