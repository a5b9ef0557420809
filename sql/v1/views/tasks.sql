-- Every task, with those that no coordinator has met: what applications left in transactions of
-- their own, and what lies in the log after the position of the coordinator that is furthest
-- behind.

create or replace view flowledger_v1.tasks as
select
    t.task_id, t.namespace, t.template, t.version, t.template_id, t.state, t.paused, t.priority,
    coalesce(t.correlation_id, t.task_id::text) as correlation_id,
    flowledger.readable_time(t.created_at) as created_at,
    flowledger.readable_time(t.ended_at) as ended_at, t.stream_version
from flowledger.task as t
union all
select
    w.task_id, p.data ->> 'namespace', p.data ->> 'template', p.data ->> 'version',
    case
        when pg_input_is_valid(p.data ->> 'template_id', 'uuid') then (p.data ->> 'template_id')::uuid
    end,
    'submitted', false,
    case
        when pg_input_is_valid(p.data ->> 'priority', 'integer') then (p.data ->> 'priority')::integer
    end,
    coalesce(p.data ->> 'correlation_id', w.task_id::text),
    case
        when pg_input_is_valid(p.data ->> 'occurred_at', 'timestamptz')
            then flowledger.readable_time((p.data ->> 'occurred_at')::timestamptz)
    end,
    null, 0
from (
    select s.task_id, s.state, s.encoding
    from flowledger.submission as s
    union all
    select e.originator_id, e.state, e.encoding
    from flowledger.event as e
    where e.notification_id > (select min(least(s.position, s.created_from)) from flowledger.shard as s)
        and e.topic = 'task.created'
        and not exists (select from flowledger.task as t where t.task_id = e.originator_id)
) as w
cross join lateral (select flowledger.payload_json(w.state, w.encoding) as data offset 0) as p;

comment on view flowledger_v1.tasks is
    'Every task as the coordinators know it. One that is `submitted` waits to be seen by them; where'
    ' payloads are encrypted, nothing but its id is known until then.
Example: select namespace, template, state, count(*) from flowledger_v1.tasks group by 1, 2, 3';
comment on column flowledger_v1.tasks.task_id is 'A UUIDv7: ids are in the order of submission.';
comment on column flowledger_v1.tasks.namespace is 'The namespace of its template.';
comment on column flowledger_v1.tasks.template is 'The name of its template.';
comment on column flowledger_v1.tasks.version is 'The version of its template.';
comment on column flowledger_v1.tasks.template_id is 'See templates.';
comment on column flowledger_v1.tasks.state is
    'submitted, pending, in_progress, waiting, blocked, complete, error, cancelled or resolved_manually.';
comment on column flowledger_v1.tasks.paused is 'Whether nothing of it starts until it is resumed.';
comment on column flowledger_v1.tasks.priority is 'Higher goes first.';
comment on column flowledger_v1.tasks.correlation_id is 'What the caller gave, or the task''s own id.';
comment on column flowledger_v1.tasks.created_at is 'When it was submitted.';
comment on column flowledger_v1.tasks.ended_at is 'When it ended; null: it is open.';
comment on column flowledger_v1.tasks.stream_version is 'How many events its own stream had then.';
