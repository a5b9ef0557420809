-- What the engine's transactions lock to go one after the other. A view, as nothing is stored in it:
-- no vacuum, no analyze and no dump ever locks it, and who may not write cannot either.

create view flowledger.log_lock as select true as one where false;

comment on view flowledger.log_lock is
    'Locked by whoever appends to the log, until the commit; see flowledger.lock_log. To lock it takes'
    ' the right to delete from it, and there is nothing to delete.';

create view flowledger.projection_lock as select true as one where false;

comment on view flowledger.projection_lock is
    'Locked by whoever makes or removes a projection, until the commit.';

drop function if exists flowledger.begin_batch(text, integer);
