-- What people noted of tasks.

create or replace view flowledger_v1.annotations as
select
    a.position, a.task_id, a.namespace, a.template, a.kind,
    flowledger.readable_json(a.value) as value, a.actor, a.reason, a.at,
    o.position as as_of_position, o.at as as_of
from flowledger_notes.annotation as a
left join flowledger.projection_as_of as o on o.name = 'flowledger_notes';

comment on view flowledger_v1.annotations is
    'What people noted of tasks. Read from the projection flowledger_notes: '
    'where there is no row, projection_freshness(''flowledger_notes'') says how old that is.
Example: select task_id, value, actor from flowledger_v1.annotations where kind = ''comment'' order by at desc limit 20';
comment on column flowledger_v1.annotations.position is 'The place of the event in the log.';
comment on column flowledger_v1.annotations.task_id is 'The task.';
comment on column flowledger_v1.annotations.namespace is 'The namespace of its template.';
comment on column flowledger_v1.annotations.template is 'The name of its template.';
comment on column flowledger_v1.annotations.kind is 'What kind of note it is, in their words.';
comment on column flowledger_v1.annotations.value is 'The note; null where it is JSON null.';
comment on column flowledger_v1.annotations.actor is 'Who noted it.';
comment on column flowledger_v1.annotations.reason is 'Why, where they said so.';
comment on column flowledger_v1.annotations.at is 'When.';
comment on column flowledger_v1.annotations.as_of_position is
    'How far the log has been read into this view; null: nothing of it.';
comment on column flowledger_v1.annotations.as_of is
    'When the last event up to there was recorded: what happened later is not here yet.';
