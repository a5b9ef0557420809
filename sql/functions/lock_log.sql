-- Take the log lock until the end of the transaction.
--
-- Positions are given and committed under this lock, one transaction after the other, so that
-- position order is commit order and no reader passes over a gap that is filled later. An advisory
-- lock gives that without waiting for vacuum and analyze, as a table lock would.
-- It is the last lock of every transaction and is held until commit: nothing slow may follow.

create or replace function flowledger.lock_log()
returns void
language sql
volatile
as $$
    select pg_advisory_xact_lock(7102716001);
$$;
