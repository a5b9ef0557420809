-- Tell the workers that run these steps to stop: their streams have moved on by one event.
-- Locks: queue rows.

create or replace function flowledger.signal_cancel(p_steps uuid[])
returns void
language plpgsql
volatile
as $$
begin
    update flowledger.queue
    set cancelling = true, stream_version = stream_version + 1
    where step_id = any (p_steps);

    perform pg_notify('flowledger.cancel', '');
end
$$;
