-- The rows of steps and tasks are changed once or twice within moments, a batch at a time, and then
-- stay. A page that is filled to a half holds the changed rows of all of its own: they are not moved,
-- which spares the index of steps, and what was not changed of a row need not be logged again.
-- Their place is used by later rows, so the tables do not grow by it. Pages that are there stay as
-- they are; nothing is rewritten, and nobody waits.

alter table flowledger.step set (fillfactor = 50);
alter table flowledger.task set (fillfactor = 50);
