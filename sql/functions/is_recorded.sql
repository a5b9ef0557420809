-- Whether an event of these very bytes is in the stream, once every commit that is under way is
-- through: for a writer whose answer was lost. Locks: the log.

create or replace function flowledger.is_recorded(p_stream uuid, p_state bytea)
returns boolean
language plpgsql
volatile
as $$
begin
    perform flowledger.lock_log();

    return exists (
        select from flowledger.event as e where e.originator_id = p_stream and e.state = p_state
    );
end
$$;
