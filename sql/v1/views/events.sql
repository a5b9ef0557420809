-- Every event of the log, its payload as JSON.

create or replace view flowledger_v1.events as
select
    e.notification_id as "position", e.recorded_at, e.task_id, e.originator_id as stream_id,
    e.originator_version as version, e.topic as type, p.data ->> 'step' as step, p.data
from flowledger.event as e
cross join lateral (select flowledger.payload_json(e.state, e.encoding) as data) as p;

comment on view flowledger_v1.events is
    'Every event of the log. Ask by position or by stream_id, which have indexes; the events of one'
    ' task come from flowledger_v1.task_events.
Example: select position, recorded_at, type, data from flowledger_v1.events where position > 1000 order by position limit 100';
comment on column flowledger_v1.events.position is 'Its place in the log; there may be gaps.';
comment on column flowledger_v1.events.recorded_at is 'When it was stored.';
comment on column flowledger_v1.events.task_id is
    'The task that it concerns; null for what concerns none, as a template.';
comment on column flowledger_v1.events.stream_id is
    'The task, step, template, circuit or request that it belongs to.';
comment on column flowledger_v1.events.version is 'Its place in that stream, from 1, without gaps.';
comment on column flowledger_v1.events.type is 'What happened, as in `step.completed`.';
comment on column flowledger_v1.events.step is 'The name of the step, where it concerns one.';
comment on column flowledger_v1.events.data is
    'What else is known of it; null where it is compressed or encrypted. A correlation_id that is not'
    ' there is the task''s id, and a schema_version 1.';
