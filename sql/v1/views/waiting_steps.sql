-- Every step that is ready and is kept back.

create or replace view flowledger_v1.waiting_steps as
select
    h.step_id, h.task_id, h.step, h.kind, h.limit_key,
    flowledger.readable_time(h.since) as since, flowledger.readable_time(h.until) as until,
    flowledger.readable_time(
        to_timestamp(least(greatest(h.sort_key, -62135596800), 253402300799))
    ) as sort_key
from flowledger.waiting_step as h;

comment on view flowledger_v1.waiting_steps is
    'Every step that is ready and that a limit, a circuit or a paused template keeps from the queue.
Example: select kind, limit_key, count(*) from flowledger_v1.waiting_steps group by 1, 2';
comment on column flowledger_v1.waiting_steps.step_id is 'The stream of the step.';
comment on column flowledger_v1.waiting_steps.task_id is 'The task.';
comment on column flowledger_v1.waiting_steps.step is 'The name of the step.';
comment on column flowledger_v1.waiting_steps.kind is
    'What it waited for when it was last asked about: slot, rate, circuit or template.';
comment on column flowledger_v1.waiting_steps.limit_key is 'Which of them.';
comment on column flowledger_v1.waiting_steps.since is 'Since when it waits.';
comment on column flowledger_v1.waiting_steps.until is 'When it is asked about again, where a time is known.';
comment on column flowledger_v1.waiting_steps.sort_key is 'The earliest goes first.';
