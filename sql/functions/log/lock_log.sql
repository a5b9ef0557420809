-- Take the log lock until the end of the transaction.
--
-- Positions are given and committed under this lock, one transaction after the other, so that
-- position order is commit order and no reader passes over a gap that is filled later. It is the
-- lock of a view that has nothing to read, in the weakest mode that conflicts with itself: whoever
-- may not delete from the view cannot take it, and vacuum, analyze and dumps neither wait for it
-- nor hold it. It is the last lock of every transaction and is held until commit: nothing slow may
-- follow.

create or replace function flowledger.lock_log()
returns void
language plpgsql
volatile
as $$
begin
    lock table flowledger.log_lock in share update exclusive mode;
end
$$;
