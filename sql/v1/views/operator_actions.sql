-- Everything that somebody did, with the answer to it.

create or replace view flowledger_v1.operator_actions as
select
    a.position, a.at, a.task_id, a.namespace, a.template, a.version, a.step, a.action, a.actor,
    a.reason, a.request, a.answer, a.answered_at, a.refusal, a.subject,
    o.position as as_of_position, o.at as as_of
from flowledger_audit.operator_action as a
left join flowledger.projection_as_of as o on o.name = 'flowledger_audit';

comment on view flowledger_v1.operator_actions is
    'Who did what, to which task, when and why, and what was answered. Submissions that named '
    'nobody are not in it: tasks has them. Read from the projection '
    'flowledger_audit: '
    'where there is no row, projection_freshness(''flowledger_audit'') says how old that is.
Example: select at, actor, action, reason, answer from flowledger_v1.operator_actions where at > now() - interval ''1 day'' order by at';
comment on column flowledger_v1.operator_actions.position is 'The place of the event in the log.';
comment on column flowledger_v1.operator_actions.at is 'When it was done.';
comment on column flowledger_v1.operator_actions.task_id is
    'The task; null where it was done to a template or to the engine.';
comment on column flowledger_v1.operator_actions.namespace is 'The namespace of the template.';
comment on column flowledger_v1.operator_actions.template is 'The name of the template.';
comment on column flowledger_v1.operator_actions.version is
    'The version of the template, of submissions and of what was done to a template.';
comment on column flowledger_v1.operator_actions.step is 'The step, where it is about one.';
comment on column flowledger_v1.operator_actions.action is
    'What was done: task.cancel, step.reset, template.pause, projection.rebuild, task.submit and so on.';
comment on column flowledger_v1.operator_actions.actor is 'Who did it.';
comment on column flowledger_v1.operator_actions.reason is 'Why, in their words.';
comment on column flowledger_v1.operator_actions.request is
    'The stream of the request, where an answer is needed.';
comment on column flowledger_v1.operator_actions.answer is
    'granted or refused; null where there is no answer yet, or none is needed.';
comment on column flowledger_v1.operator_actions.answered_at is 'When a coordinator answered.';
comment on column flowledger_v1.operator_actions.refusal is 'Why it was refused.';
comment on column flowledger_v1.operator_actions.subject is
    'What of the engine it was done to: the projection, or what became of its shards, parked tasks, '
    'schema, rights or time; null where it was done to a task or a template.';
comment on column flowledger_v1.operator_actions.as_of_position is
    'How far the log has been read into this view.';
comment on column flowledger_v1.operator_actions.as_of is
    'When the last event up to there was recorded: what was done later is not here yet.';
