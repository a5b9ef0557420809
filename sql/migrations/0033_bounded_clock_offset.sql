-- A clock that is centuries away writes events with times that no calendar has. Rows that are there
-- are left to whoever wrote them.
alter table flowledger.clock_offset
    add constraint clock_offset_is_within_a_century
    check (shift between interval '-100 years' and interval '100 years') not valid;
