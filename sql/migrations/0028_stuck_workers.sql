-- A worker that claims nothing, as abandoned handlers hold half its slots, is stuck: "saturated" says
-- elsewhere that all slots are in use, which is well.

alter table flowledger.worker drop constraint worker_condition_check;
update flowledger.worker set condition = 'stuck' where condition = 'saturated';
alter table flowledger.worker add constraint worker_condition_check
    check (condition in ('ready', 'isolated', 'stuck'));
comment on column flowledger.worker.condition is
    'isolated: it takes only exclusive steps; stuck: it claims nothing any more, since too many'
    ' abandoned handlers take its places';

-- Its argument has another name.
drop function if exists flowledger.set_worker_saturated(uuid, boolean);

delete from flowledger.applied_file where path = 'functions/worker/set_worker_saturated.sql';
