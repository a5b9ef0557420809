-- Every change of state of a task or a step: who, what, when and why.

create or replace view flowledger_v1.transitions as
select
    e.notification_id as "position", e.recorded_at,
    case
        when pg_input_is_valid(p.data ->> 'occurred_at', 'timestamptz')
            then flowledger.readable_time((p.data ->> 'occurred_at')::timestamptz)
    end as occurred_at,
    e.task_id, e.originator_id as stream_id, e.originator_version as version,
    p.data ->> 'step' as step, e.topic as type, b.state as from_state,
    flowledger.state_after(e.topic, b.state) as to_state,
    case
        when pg_input_is_valid(p.data ->> 'attempt', 'integer') then (p.data ->> 'attempt')::integer
    end as attempt, p.data ->> 'actor' as actor,
    p.data ->> 'reason' as reason, coalesce(
        (p.data #>> '{error,error_class}') || ': ' || (p.data #>> '{error,message}'),
        p.data ->> 'message'
    ) as message,
    case
        when pg_input_is_valid(p.data ->> 'worker', 'uuid') then (p.data ->> 'worker')::uuid
    end as worker_id,
    case
        when pg_input_is_valid(p.data ->> 'causation_id', 'uuid') then (p.data ->> 'causation_id')::uuid
    end as causation_id
from flowledger.event as e
cross join lateral (select flowledger.payload_json(e.state, e.encoding) as data) as p
cross join lateral (
    select coalesce(
        (
            select flowledger.state_after(f.topic, null)
            from flowledger.event as f
            where f.originator_id = e.originator_id
                and f.originator_version < e.originator_version
                and flowledger.state_after(f.topic, null) is not null
            order by f.originator_version desc
            limit 1
        ),
        case e.originator_id when e.task_id then 'submitted' else 'pending' end
    ) as state
) as b
where flowledger.state_after(e.topic, '') is not null;

comment on view flowledger_v1.transitions is
    'Every event by which a task or a step met its next state, be it the same as before. Ask by'
    ' position or by stream_id, which have indexes; the transitions of one task come from'
    ' flowledger_v1.task_transitions.
Example: select recorded_at, step, from_state, to_state, actor, reason from flowledger_v1.transitions where position > 1000 order by position limit 100';
comment on column flowledger_v1.transitions.position is 'The place of the event in the log.';
comment on column flowledger_v1.transitions.recorded_at is 'When it was stored.';
comment on column flowledger_v1.transitions.occurred_at is 'When it happened, by the engine''s clock.';
comment on column flowledger_v1.transitions.task_id is 'The task.';
comment on column flowledger_v1.transitions.stream_id is 'The task or the step whose state it is.';
comment on column flowledger_v1.transitions.version is 'The place of the event in that stream.';
comment on column flowledger_v1.transitions.step is 'The name of the step; null: the task itself.';
comment on column flowledger_v1.transitions.type is 'The event that led there.';
comment on column flowledger_v1.transitions.from_state is
    'The state after the event before it; first `submitted` for a task, `pending` for a step.';
comment on column flowledger_v1.transitions.to_state is 'The state after it.';
comment on column flowledger_v1.transitions.attempt is 'Which start of the step it belongs to.';
comment on column flowledger_v1.transitions.actor is 'Who asked for it, where somebody did.';
comment on column flowledger_v1.transitions.reason is 'Why, where a reason was given.';
comment on column flowledger_v1.transitions.message is
    'The error''s class and what it said, or why the step was given up, where there was an error.';
comment on column flowledger_v1.transitions.worker_id is 'The worker that began it or was lost with it.';
comment on column flowledger_v1.transitions.causation_id is 'The event that led to this one.';
