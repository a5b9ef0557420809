-- Move the clock of the whole engine forward, and wake everybody who waits for a time.
-- For tests: not granted to anyone but the owner.

create or replace function flowledger.advance_test_clock(p_by interval)
returns timestamptz
language sql
volatile
as $$
    update flowledger.clock_offset set shift = shift + p_by;
    select pg_notify('flowledger.clock', '');
    select flowledger.clock();
$$;

revoke all on function flowledger.advance_test_clock(interval) from public;
