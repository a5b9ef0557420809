-- The tags that tasks have.

create or replace view flowledger_v1.tags as
select
    t.task_id, t.tag, t.namespace, t.template, t.actor, t.at,
    o.position as as_of_position, o.at as as_of
from flowledger_notes.tag as t
left join flowledger.projection_as_of as o on o.name = 'flowledger_notes';

comment on view flowledger_v1.tags is
    'The tags that tasks have now. Read from the projection flowledger_notes: '
    'where there is no row, projection_freshness(''flowledger_notes'') says how old that is.
Example: select task_id from flowledger_v1.tags where tag = ''urgent''';
comment on column flowledger_v1.tags.task_id is 'The task.';
comment on column flowledger_v1.tags.tag is 'The tag.';
comment on column flowledger_v1.tags.namespace is 'The namespace of the task''s template.';
comment on column flowledger_v1.tags.template is 'The name of the task''s template.';
comment on column flowledger_v1.tags.actor is 'Who gave it; null where the submission named nobody.';
comment on column flowledger_v1.tags.at is 'Since when the task has it.';
comment on column flowledger_v1.tags.as_of_position is
    'How far the log has been read into this view; null: nothing of it.';
comment on column flowledger_v1.tags.as_of is
    'When the last event up to there was recorded: what happened later is not here yet.';
