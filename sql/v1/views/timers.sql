-- What will happen at a time.

create or replace view flowledger_v1.timers as
select t.task_id, nullif(t.step, '') as step, t.kind,
    flowledger.readable_time(t.due_at) as due_at
from flowledger.timer as t;

comment on view flowledger_v1.timers is
    'What a coordinator will do when a time has come.
Example: select task_id, step, kind from flowledger_v1.timers where due_at < now() + interval ''1 minute''';
comment on column flowledger_v1.timers.task_id is 'The task.';
comment on column flowledger_v1.timers.step is 'The name of the step; null: the task as a whole.';
comment on column flowledger_v1.timers.kind is 'retry, timeout, start_timeout, start or deadline.';
comment on column flowledger_v1.timers.due_at is 'When, by the engine''s clock.';
