-- Move the clock of the whole engine forward, and wake everybody who waits for a time. The log says
-- who did it, without a word the login, and why. For tests: not granted to anyone but the owner.
-- Locks: the clock's row, then the log.
-- drop: function flowledger.advance_test_clock(interval)

create or replace function flowledger.advance_test_clock(
    p_by interval, p_actor text default '', p_reason text default 'a test moves the time'
)
returns timestamptz
language sql
volatile
as $$
    select
        set_config('flowledger.actor', p_actor, true),
        set_config('flowledger.reason', p_reason, true);
    insert into flowledger.clock_offset default values on conflict do nothing;
    update flowledger.clock_offset set shift = shift + p_by;
    select
        set_config('flowledger.actor', '', true),
        set_config('flowledger.reason', '', true);
    select pg_notify('flowledger.clock', '');
    select flowledger.clock();
$$;

revoke all on function flowledger.advance_test_clock(interval, text, text) from public;
