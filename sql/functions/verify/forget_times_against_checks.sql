-- Forget what is only kept for a while and says times that its checks refuse: rates, and that the
-- clock was put back. Make the row of the clock's offset where it is gone. Returns how many of all.
-- Locks: rows of rates, the clock's rows.

create or replace function flowledger.forget_times_against_checks()
returns bigint
language sql
volatile
as $$
    with rates as (
        delete from flowledger.rate as r
        where r.limit_key in (select a.key from flowledger.rows_against_checks('{rate}') as a)
        returning r.limit_key
    ),

    put_back as (
        delete from flowledger.clock_put_back as c
        where exists (select from flowledger.rows_against_checks('{clock_put_back}'))
        returning c.one
    ),

    made as (
        insert into flowledger.clock_offset default values
        on conflict do nothing
        returning one_row
    )

    select (select count(*) from rates) + (select count(*) from put_back)
        + (select count(*) from made);
$$;
