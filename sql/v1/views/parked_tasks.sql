-- The tasks that the coordinators leave alone.

create or replace view flowledger_v1.parked_tasks as
select k.task_id, t.namespace, t.template, t.version, t.state, k.reason,
    flowledger.readable_time(k.parked_at) as parked_at,
    flowledger.readable_time(k.tried_at) as tried_at,
    k.wanted
from flowledger.parked_task as k
left join flowledger.task as t on t.task_id = k.task_id;

comment on view flowledger_v1.parked_tasks is
    'Tasks that are left alone because their log, their template or a row of theirs is wrong. When '
    'that is mended, `flowledger parked retry` has them tried again.
Example: select task_id, reason, parked_at from flowledger_v1.parked_tasks order by parked_at';
comment on column flowledger_v1.parked_tasks.task_id is 'The task.';
comment on column flowledger_v1.parked_tasks.namespace is
    'The namespace of its template; null where no coordinator could take it on.';
comment on column flowledger_v1.parked_tasks.template is 'The name of its template.';
comment on column flowledger_v1.parked_tasks.version is 'The version of its template.';
comment on column flowledger_v1.parked_tasks.state is 'The last state that was stored of it.';
comment on column flowledger_v1.parked_tasks.reason is 'What is wrong.';
comment on column flowledger_v1.parked_tasks.parked_at is 'Since when it is left alone.';
comment on column flowledger_v1.parked_tasks.tried_at is 'When it was last tried, in vain.';
comment on column flowledger_v1.parked_tasks.wanted is 'Whether it is to be tried again.';
