-- Rates that were moved by a clock that was ahead and was put back: they hold back for as long as
-- they would have held back then. One whose times are so far away that no clock can have set them
-- holds nobody back, whenever it is said to have been moved. One that is being moved is passed over.
-- Locks: rates, without waiting.

create or replace function flowledger.correct_rates_after_clock_set_back()
returns void
language sql
volatile
as $$
    update flowledger.rate as t
    set
        expected_at = case
            when t.expected_at > flowledger.clock() - interval '1000 years'
                and greatest(t.expected_at, t.set_at) < flowledger.clock() + interval '1000 years'
                then t.expected_at - (t.set_at - flowledger.clock())
            else flowledger.clock()
        end,
        set_at = flowledger.clock()
    where t.limit_key in (
        select r.limit_key
        from flowledger.rate as r
        where r.set_at > flowledger.clock() + interval '1 second'
            or r.expected_at >= flowledger.clock() + interval '1000 years'
        for update skip locked
    );
$$;
