-- Every step that is queued or runs.
-- drop: view flowledger_v1.queue

create or replace view flowledger_v1.queue as
select
    q.step_id, q.task_id, q.step, t.namespace, t.name as template, t.version, q.attempt, q.resets,
    flowledger.readable_time(e.at) as queued_at,
    flowledger.readable_time(
        to_timestamp(least(greatest(q.sort_key, -62135596800), 253402300799))
    ) as sort_key,
    q.queued, q.worker_id, q.cancelling,
    q.exclusive,
    flowledger.readable_time(q.heartbeat_at) as heartbeat_at,
    flowledger.readable_json(q.heartbeat_details) as heartbeat_details, coalesce(q.correlation_id, q.task_id::text) as correlation_id
from flowledger.queue as q
left join flowledger.template as t on t.template_id = q.template_id
left join lateral (
    select flowledger.time_from_microseconds(
        flowledger.payload_occurred_at(l.state, l.encoding)
    ) as at
    from flowledger.event as l
    where l.originator_id = q.step_id and l.originator_version <= q.stream_version
        and l.topic = 'step.enqueued'
    order by l.originator_version desc
    limit 1
) as e on true;

comment on view flowledger_v1.queue is
    'Every step that waits for a worker, or that a worker has claimed and not yet reported on.
Example: select step, sort_key from flowledger_v1.queue where worker_id is null order by sort_key, queued limit 10';
comment on column flowledger_v1.queue.step_id is 'The stream of the step.';
comment on column flowledger_v1.queue.task_id is 'The task.';
comment on column flowledger_v1.queue.step is 'The name of the step.';
comment on column flowledger_v1.queue.namespace is 'The namespace of the template.';
comment on column flowledger_v1.queue.template is 'The name of the template.';
comment on column flowledger_v1.queue.version is 'The version of the template.';
comment on column flowledger_v1.queue.attempt is 'The start that this is to be or is.';
comment on column flowledger_v1.queue.resets is 'How often an operator has reset the step.';
comment on column flowledger_v1.queue.queued_at is
    'When it was queued; null where events are compressed or encrypted.';
comment on column flowledger_v1.queue.sort_key is
    'When its task was submitted, less what its priority is worth, which is no time at which anything happened: the earliest goes first.';
comment on column flowledger_v1.queue.queued is 'Says who goes first where the turns are equal.';
comment on column flowledger_v1.queue.worker_id is 'Who has claimed it; null: it waits.';
comment on column flowledger_v1.queue.cancelling is 'Whether it runs and was told to stop.';
comment on column flowledger_v1.queue.exclusive is
    'Whether nothing may run beside it, since workers were lost with it.';
comment on column flowledger_v1.queue.heartbeat_at is 'When its handler last said that it is alive.';
comment on column flowledger_v1.queue.heartbeat_details is 'What the handler said then; null where no reader could take it.';
comment on column flowledger_v1.queue.correlation_id is 'The task''s.';
