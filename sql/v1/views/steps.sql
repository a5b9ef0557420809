-- Every step of every task, with those that nothing has happened to yet.

create or replace view flowledger_v1.steps as
select
    t.task_id, d.step, coalesce(s.state, 'pending') as state, coalesce(s.attempt, 0) as attempt,
    d.max_attempts, d.level, flowledger.readable_time(s.due_at) as due_at, d.dependencies, d.system,
    coalesce(s.stream_version, 0) as stream_version
from flowledger.task as t
inner join flowledger.template_step as d on d.template_id = t.template_id
left join flowledger.step as s on s.task_id = t.task_id and s.step = d.step;

comment on view flowledger_v1.steps is
    'Every step of every task as the coordinators know it: that a worker has begun a step, they hear'
    ' a moment later; flowledger_v1.queue knows at once.
Example: select step, state, attempt from flowledger_v1.steps where task_id = ''01890a5d-ac96-774b-bcce-b302099a8057'' order by level';
comment on column flowledger_v1.steps.task_id is 'The task.';
comment on column flowledger_v1.steps.step is 'Its name in the template.';
comment on column flowledger_v1.steps.state is
    'pending, enqueued, in_progress, waiting_for_retry, complete, error, cancelled,'
    ' resolved_manually or skipped.';
comment on column flowledger_v1.steps.attempt is 'How often it was started since it was last reset.';
comment on column flowledger_v1.steps.max_attempts is 'How often it may be started, by its retry policy.';
comment on column flowledger_v1.steps.level is
    'How many steps the longest way to it has before it: 0 where it depends on none.';
comment on column flowledger_v1.steps.due_at is 'When it is tried again, while it waits for that.';
comment on column flowledger_v1.steps.dependencies is 'The names of the steps that it depends on.';
comment on column flowledger_v1.steps.system is 'The outside system that it depends on.';
comment on column flowledger_v1.steps.stream_version is 'How many events its stream had then.';
