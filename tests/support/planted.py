"""What tests plant in a database in which tasks stand halfway, and what verification says of it."""

from __future__ import annotations


def changed(stream: str, version: int, old: str, new: str, topic: str | None = None) -> str:
    """A statement that changes the payload of an event, and what happened where that is given."""
    topics = f", topic = '{topic}'" if topic else ""
    return (
        "update flowledger.event set state = decode(replace("  # noqa: S608
        f"encode(state, 'hex'), '{old.encode().hex()}', '{new.encode().hex()}'), 'hex')"
        f"{topics} where originator_id = '{{{stream}}}' and originator_version = {version}"
    )


def row_of(step_id: str, task: str, step: str) -> str:
    """A statement that puts a row into the queue."""
    return (
        "insert into flowledger.queue"  # noqa: S608
        " (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step)"
        f" values ('{{{step_id}}}', '{{{task}}}', '{{template}}', 1, 0, 1, 0, '{step}')"
    )


EVENTS = {
    "an attempt that was changed": (
        changed("runs", 2, "runs\0\1", "runs\0\2"),
        ["attempt is 2 in the event, and 1 by the rest of the log"],
    ),
    "a time of a decision that was changed": (
        "update flowledger.event set state = overlay(state placing '\\x00' from 20)"
        " where originator_id = '{queued}' and originator_version = 1",
        ["event_id is "],
    ),
    "a name that was changed": (
        changed("first", 3, "\x10shop/order/first", "\x11shop/order/queued"),
        ["stream is {first} in the log, and {queued} by what it says of itself"],
    ),
    "a payload that cannot be read": (
        changed("first", 3, '"result":1', '"result":'),
        ["version 3 of step 'first': payload is not (the event at version 3 of"],
    ),
    "a completion that became a failure": (
        changed("first", 3, '{"result":1}', "", topic="step.released"),
        ["step 'first': state is complete in the row, and waiting_for_retry by the log"],
    ),
    "an event that is missing": (
        "delete from flowledger.event where originator_id = '{first}' and originator_version = 2",
        ["step 'first': version 2 is missing in the log, and needed by the versions behind it"],
    ),
    "the last event of a stream that is missing": (
        "delete from flowledger.event where originator_id = '{fails}' and originator_version = 4",
        [
            "step 'fails': stream_version is 4 in the row, and 3 by the log",
            "step 'fails': due_at is 20",
            "step 'fails': row is there in flowledger.timer, and none by the log",
        ],
    ),
    "an answer that is missing": (
        "delete from flowledger.event where originator_id = '{request}' and originator_version = 2",
        ["stream {request}: answer to StepCancelRequested is missing in the log, and there by"],
    ),
    "an event too many": (
        "insert into flowledger.event"
        " (originator_id, originator_version, task_id, topic, state)"
        " select originator_id, 4, task_id, topic, state from flowledger.event"
        " where originator_id = '{first}' and originator_version = 3",
        ["StepCompleted is stored in the log, and impossible by the life cycle (step 'first'"],
    ),
    "an event that was moved to another task": (
        "update flowledger.event set task_id = '{two}'"
        " where originator_id = '{first}' and originator_version = 2",
        ["version 2 of step 'first': task_id is {two} in the event, and {one} by its stream"],
    ),
    "an event that was moved to another stream": (
        "update flowledger.event set originator_id = '{nobodys_step}'"
        " where originator_id = '{first}' and originator_version = 3",
        [
            "causation_id is ",
            "stream {nobodys_step}: owner is task {one} in the log, and no task that is known by",
        ],
    ),
    "an answer that says it was somebody else": (
        changed("request", 2, '"actor":"ann"', '"actor":"bob"'),
        ["actor is bob in the event, and ann by the rest of the log"],
    ),
    "events out of order": (
        "update flowledger.event set notification_id = notification_id + 1000"
        " where originator_id = '{first}' and originator_version = 1",
        [
            "step 'first': order is 2, 3, 1 in the log, and ascending by the rule for streams",
            "recorded_at is ",
        ],
    ),
}
ROWS = {
    "a task's row": (
        "update flowledger.task set paused = true where task_id = '{one}'",
        [
            "task: paused is True in the row, and False by the log",
            "tasks_paused: count is 0 in flowledger.state_count, and 1 by counting",
        ],
    ),
    "a stale readiness row": (
        "update flowledger.step set attempt = 0, stream_version = 1"
        " where task_id = '{one}' and step = 'first'",
        [
            "step 'first': attempt is 0 in the row, and 1 by the log",
            "step 'first': stream_version is 1 in the row, and 3 by the log",
        ],
    ),
    "a readiness row in another state": (
        "update flowledger.step set state = 'waiting_for_retry', due_at = now()"
        " where task_id = '{one}' and step = 'queued'",
        [
            "step 'queued': state is waiting_for_retry in the row, and enqueued by the log",
            "step 'queued': due_at is 20",
            "steps_enqueued: count is 3 in flowledger.state_count, and 2 by counting",
            "steps_waiting_for_retry: count is 1 in flowledger.state_count, and 2 by counting",
        ],
    ),
    "a step that is said to be queued, and runs": (
        "update flowledger.step set state = 'enqueued', attempt = 0, stream_version = 1"
        " where task_id = '{one}' and step = 'runs'",
        [
            "step 'runs': state is enqueued in the row, and in_progress by the log",
            "step 'runs': attempt is 0 in the row, and 1 by the log",
            "step 'runs': stream_version is 1 in the row, and 2 by the log",
            "steps_enqueued: count is 3 in flowledger.state_count, and 4 by counting",
            "steps_in_progress: count is 1 in flowledger.state_count, and 0 by counting",
        ],
    ),
    "a lost queue row": (
        "delete from flowledger.queue where step_id = '{queued}'",
        ["step 'queued': row is none in flowledger.queue, and there by the log"],
    ),
    "a queue row that another worker holds": (
        "update flowledger.queue set worker_id = '{nobody}' where step_id = '{runs}'",
        ["step 'runs': worker_id is {nobody} in flowledger.queue, and "],
    ),
    "a queue row that is before its turn": (
        "update flowledger.queue set sort_key = 7 where step_id = '{queued}'",
        ["step 'queued': sort_key is 7.0 in flowledger.queue, and at least 17"],
    ),
    "a queue row that is never its turn": (
        "update flowledger.queue set sort_key = 'infinity' where step_id = '{queued}'",
        ["step 'queued': sort_key is inf in flowledger.queue, and a time by the log"],
    ),
    "a queue row whose turn is to come": (
        "update flowledger.queue set sort_key = sort_key + 7000 where step_id = '{queued}'",
        ["in flowledger.queue, and not to come by the log"],
    ),
    "a queue row that is alone for no reason": (
        "update flowledger.queue set exclusive = true where step_id = '{queued}'",
        ["step 'queued': exclusive is True in flowledger.queue, and False by the log"],
    ),
    "a queue row of a step that is not ready": (
        row_of("last", "one", "last"),
        ["step 'last': row is there in flowledger.queue, and none by the log"],
    ),
    "a queue row of a step that is held by a worker and has ended": (
        row_of("first", "one", "first")  # noqa: S608
        + ";update flowledger.queue set worker_id = '{nobody}' where step_id = '{first}'",
        ["step 'first': row is there in flowledger.queue, and none by the log"],
    ),
    "a queue row of no step": (
        row_of("one", "two", "last"),
        ["step 'last': row is a row ({one}) in flowledger.queue, and none by the log"],
    ),
    "a queue row of no task": (
        row_of("nobodys_step", "nobody", "last"),
        ["step 'last': row is a row ({nobodys_step}) in flowledger.queue, and none by the log"],
    ),
    "a lost timer": (
        "delete from flowledger.timer where step_id = '{fails}'",
        ["step 'fails': row is none in flowledger.timer, and there by the log"],
    ),
    "a timer that is due at another time": (
        "update flowledger.timer set due_at = due_at + interval '1 s' where step_id = '{runs}'",
        ["step 'runs': due_at is 20"],
    ),
    "a step that waits for room before its retry is due": (
        "insert into flowledger.waiting_step (step_id, task_id, step, kind, limit_key, sort_key,"
        " since, demand) select step_id, task_id, step, 'rate', 'k', 0, flowledger.clock(),"
        " jsonb_build_object('template_id', '{template}', 'system', null, 'slots', '[]'::jsonb,"
        " 'rates', '[]'::jsonb) from flowledger.timer where step_id = '{fails}'",
        ["step 'fails': hold is rate in flowledger.waiting_step, and none, as it is due at 20"],
    ),
    "a held step that is lost": (
        "delete from flowledger.waiting_step where step_id = '{held}'",
        ["step 'runs': hold is none in flowledger.waiting_step, and one, or a place in the queue"],
    ),
    "a held step that is not ready": (
        "update flowledger.waiting_step set step_id = '{last}', task_id = '{one}', step = 'last'",
        [
            "step 'last': hold is slot in flowledger.waiting_step, and none, as it is pending by",
            "step 'runs': hold is none in flowledger.waiting_step, and one, or a place in the "
            "queue",
        ],
    ),
    "a leaked slot": (
        "insert into flowledger.slot values ('{first}', 'step:shop/order/runs');"
        "update flowledger.slot_count set in_use = 2",
        ["step 'first': slot of step:shop/order/runs is held in flowledger.slot, and free by"],
    ),
    "a lost slot": (
        "delete from flowledger.slot; delete from flowledger.slot_count",
        ["step 'runs': slot of step:shop/order/runs is free in flowledger.slot, and held by"],
    ),
    "an identity of another task": (
        "update flowledger.identity set task_id = '{two}' where task_id = '{one}'",
        ["task: owner of strict:sha256:"],
    ),
}
APART = {
    "a public view that says something else": (
        "create or replace view flowledger_v1.parked_tasks as select k.task_id, t.namespace,"
        " t.template, t.version, t.state, k.reason, k.parked_at, k.tried_at, k.wanted"
        " from flowledger.parked_task as k"
        " left join flowledger.task as t on t.task_id = k.task_id where false",
        ["view parked_tasks: definition is another in the public schema, and that of its file by"],
    ),
    "a public function that says something else": (
        "alter function flowledger_v1.step_readiness(uuid, text[]) cost 7",
        ["definition is another in the public schema, and that of its file by this release"],
    ),
    "a function that says something else": (
        "create or replace function flowledger.lock_log() returns void language sql as 'select'",
        ["function lock_log: definition is another in the schema flowledger, and that of its file"],
    ),
    "a function that sets something": (
        "alter function flowledger.lock_log() set lock_timeout = '1ms'",
        ["function lock_log: definition is another in the schema flowledger, and that of its file"],
    ),
    "a function that calls for others": (
        "create function flowledger.lock_log(integer) returns void language sql as 'select'"
        ";revoke execute on function flowledger.lock_log(integer) from public",
        ["function lock_log: definition is 2 of them in the schema flowledger, and that of"],
    ),
    "a function, a trigger and a rule that nobody knows": (
        "create function flowledger.mine() returns void language sql as 'select'"
        ";revoke execute on function flowledger.mine() from public"
        ";create trigger swallow before insert on flowledger.submission"
        " for each row execute function flowledger.refuse_log_change()"
        ";create rule hide as on delete to flowledger.queue do instead nothing"
        ";alter table flowledger.identity enable row level security",
        [
            "function mine: definition is there in the schema flowledger, and none by this release",
            "trigger swallow on submission: definition is there in",
            "rule hide on queue: definition is there in",
            "row security on identity: definition is there in",
        ],
    ),
    "a trigger that is off": (
        "alter table flowledger.projection disable trigger projection_is_its_owners",
        ["trigger projection_is_its_owners on projection: definition is disabled, dropped or"],
    ),
    "tables that are not as they were made": (
        "alter table flowledger.event drop constraint event_pkey"
        ";alter table flowledger.event alter recorded_at drop default, alter topic drop not null"
        ";alter table flowledger.task add check (priority < 7)"
        ";drop index flowledger.event_notification_id_key"
        ";create index more on flowledger.event (recorded_at)"
        ";create table flowledger.mine (a int)",
        [
            "constraint event_pkey of event: definition is none in the schema flowledger, and PRIM",
            "index event_pkey of event: definition is none in",
            "index event_notification_id_key of event: definition is none in",
            "column recorded_at of event: definition is timestamp with time zone not null in",
            "column topic of event: definition is text in the schema flowledger, and text not null",
            "constraint task_priority_check of task: definition is CHECK ((priority < 7)) in",
            "table mine: definition is logged in the schema flowledger, and none by this release",
        ],
    ),
    "a view of a projection that leaves rows out": (
        "create or replace view flowledger_audit.operator_action as"
        " select * from flowledger_audit__1.operator_action where actor <> 'eve'",
        [
            "view flowledger_audit.operator_action: definition is another in the views of"
            " projections, and all of its table by this release"
        ],
    ),
    "a right to write what a projection writes": (
        "grant delete on flowledger_audit__1.operator_action to public",
        ["everybody: delete on flowledger_audit__1.operator_action is granted in the grants, and"],
    ),
    "a right too many": (
        "grant select on flowledger.event to public",
        ["everybody: select on flowledger.event is granted in the grants, and not granted by this"],
    ),
    "a clock that was moved": (
        "select flowledger.advance_test_clock('1 s')",
        ["the clock: shift is 00:00:01 in flowledger.clock_offset, and 00:00:00 by"],
    ),
    "a time of recording before the one in front of it": (
        "update flowledger.event set recorded_at = recorded_at - interval '1 d'"
        " where originator_id = '{first}' and originator_version = 2",
        ["recorded_at is "],
    ),
    "a time of recording that is yet to come": (
        "update flowledger.event set recorded_at = now() + interval '1 d'"
        " where notification_id = (select max(notification_id) from flowledger.event)",
        ["recorded_at is in the future, up to 20"],
    ),
    "a payload that is said to be encoded": (
        "update flowledger.event set encoding = 1 where task_id = '{one}'"
        " and originator_id = '{first}' and originator_version = 2",
        ["encoding is 1 in flowledger.event, and that of its payload by the rule for the log"],
    ),
    "a wrong count of slots": (
        "update flowledger.slot_count set in_use = 7",
        ["step:shop/order/runs: count is 7 in flowledger.slot_count, and 1 by counting"],
    ),
    "a wrong count of steps": (
        "update flowledger.state_count set steps_complete = steps_complete + 1",
        ["steps_complete: count is 3 in flowledger.state_count, and 2 by counting"],
    ),
    "a definition that was changed": (
        'update flowledger.template set definition = definition || \'{{"on_failure": "block"}}\'',
        ["template {template}: definition is "],
    ),
    "a template that is said to be paused": (
        "update flowledger.template set paused = true",
        ["template {template}: paused is True in flowledger.template, and False by the log"],
    ),
    "a step of a template that was changed": (
        "update flowledger.template_step set parents = '{{0}}' where step = 'last'",
        ["template {template}, step 4: parents is [0] in flowledger.template_step, and [1, 2, 3]"],
    ),
    "a step of a template with other words": (
        "update flowledger.template_step set level = 7, backoff = 'none',"
        " dependencies = '{{first}}', blocking_dependencies = '{{runs}}' where step = 'last'",
        [
            "template {template}, step 4: level is 7 in flowledger.template_step, and 2 by the log",
            "template {template}, step 4: backoff is none in",
            "template {template}, step 4: dependencies is ['first'] in",
            "template {template}, step 4: blocking_dependencies is ['runs'] in",
        ],
    ),
    "steps of a template that there is not": (
        "insert into flowledger.template_step select '{nobody}', number, step, level, max_attempts,"
        " backoff, system, parents, children, dependencies, blocking_dependencies"
        " from flowledger.template_step",
        ["template_step {nobody}: row is a row ({nobody}) in flowledger.template_step, and none"],
    ),
    "a lost template": (
        "delete from flowledger.template_step; delete from flowledger.template;"
        "update flowledger.state_count set steps_of_tasks = 0",
        [
            "template {template}: row is none in flowledger.template, and there by the log",
            *(f"template {{template}}, step {n}: row is none" for n in range(5)),
        ],
    ),
    "a circuit that is said to be open": (
        "update flowledger.circuit set state = 'open', failures = 0",
        ["circuit 'bank': state is open in flowledger.circuit, and closed by the log"],
    ),
    "a position behind the end of the log": (
        'update flowledger.shard set "position" = 10000',
        ["shard 0: position is 10000 in flowledger.shard, and at most "],
    ),
    "a task that is left to a coordinator again": (
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " select task_id, 0, topic, state from flowledger.event where originator_id = '{one}'"
        " and originator_version = 1",
        ["task: submission is a row in flowledger.submission, and none by the log"],
    ),
    "rows of a task that the log does not know": (
        "insert into flowledger.step values ('{nobody}', 'first', 'complete', 1, 3);"
        "update flowledger.state_count set steps_complete = steps_complete + 1",
        ["step 'first': state is complete in the row, and None by the log"],
    ),
    "a slot of nobody's step": (
        "insert into flowledger.slot values ('{nobodys_step}', 'k');"
        "insert into flowledger.slot_count values ('k', 1)",
        ["slot k: row is a row ({nobodys_step}) in flowledger.slot, and none by the log"],
    ),
    "a log of a task whose beginning is lost": (
        "delete from flowledger.event where originator_id = '{one}'",
        ["task: first event is missing in the log, and TaskCreated by the log"],
    ),
}
PLANTED = {**EVENTS, **ROWS, **APART}
