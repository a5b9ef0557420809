-- Forget rates that hold nobody back any more. One that is being moved is passed over. Locks:
-- rates, without waiting.

create or replace function flowledger.forget_rates()
returns void
language sql
volatile
as $$
    delete from flowledger.rate as t
    where t.limit_key in (
        select r.limit_key
        from flowledger.rate as r
        where r.expected_at < flowledger.clock() - interval '1 minute'
        for update skip locked
    );
$$;
