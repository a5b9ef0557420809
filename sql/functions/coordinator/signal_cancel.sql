-- Tell the workers that run these steps to stop: their streams have moved on by one event.
-- Locks: queue rows.

create or replace function flowledger.signal_cancel(p_steps uuid[])
returns void
language plpgsql
volatile
as $$
begin
    update flowledger.queue
    set cancelling = true, stream_version = stream_version + 1,
        heartbeat_details = case
            when flowledger.json_is_readable(heartbeat_details) then heartbeat_details
        end
    where step_id = any (p_steps)
        and flowledger.queue_counts_are_usable(stream_version, attempt, resets);

    perform pg_notify('flowledger.cancel', '');
end
$$;
