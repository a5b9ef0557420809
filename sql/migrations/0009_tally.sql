-- How many tasks and steps are in which state, so that nobody needs to count them.

alter table flowledger.template
    add column steps integer generated always as (jsonb_array_length(definition -> 'steps')) stored;

create table flowledger.tally (
    shard integer primary key,
    tasks_pending bigint not null default 0,
    tasks_in_progress bigint not null default 0,
    tasks_waiting bigint not null default 0,
    tasks_blocked bigint not null default 0,
    tasks_complete bigint not null default 0,
    tasks_error bigint not null default 0,
    tasks_cancelled bigint not null default 0,
    tasks_resolved_manually bigint not null default 0,
    tasks_paused bigint not null default 0,
    steps_of_tasks bigint not null default 0,
    steps_pending bigint not null default 0,
    steps_enqueued bigint not null default 0,
    steps_in_progress bigint not null default 0,
    steps_waiting_for_retry bigint not null default 0,
    steps_complete bigint not null default 0,
    steps_error bigint not null default 0,
    steps_cancelled bigint not null default 0,
    steps_resolved_manually bigint not null default 0,
    steps_skipped bigint not null default 0
) with (
    -- Every commit of a coordinator rewrites its row.
    fillfactor = 20,
    autovacuum_vacuum_threshold = 5000
);

comment on table flowledger.tally is
    'How many rows of flowledger.task and flowledger.step are in which state: the sum over all rows.'
    ' Each shard''s coordinator counts in a row of its own, so that none waits for another; when'
    ' tasks change their shard, one row alone means nothing and may be below zero.';
comment on column flowledger.tally.tasks_paused is 'open tasks that are paused, in whatever state';
comment on column flowledger.tally.steps_of_tasks is
    'the steps of all tasks by their templates; those without a row are pending too';

-- Counts whoever commits after this migration; that is nobody before it is done.
lock table flowledger.shard in share row exclusive mode;

insert into flowledger.tally
select
    0,
    count(*) filter (where t.state = 'pending'),
    count(*) filter (where t.state = 'in_progress'),
    count(*) filter (where t.state = 'waiting'),
    count(*) filter (where t.state = 'blocked'),
    count(*) filter (where t.state = 'complete'),
    count(*) filter (where t.state = 'error'),
    count(*) filter (where t.state = 'cancelled'),
    count(*) filter (where t.state = 'resolved_manually'),
    count(*) filter (where t.paused and t.ended_at is null),
    coalesce(sum(d.steps), 0)
from flowledger.task as t
left join flowledger.template as d on d.template_id = t.template_id;

update flowledger.tally
set
    steps_pending = c.pending,
    steps_enqueued = c.enqueued,
    steps_in_progress = c.in_progress,
    steps_waiting_for_retry = c.waiting_for_retry,
    steps_complete = c.complete,
    steps_error = c.error,
    steps_cancelled = c.cancelled,
    steps_resolved_manually = c.resolved_manually,
    steps_skipped = c.skipped
from (
    select
        count(*) filter (where s.state = 'pending') as pending,
        count(*) filter (where s.state = 'enqueued') as enqueued,
        count(*) filter (where s.state = 'in_progress') as in_progress,
        count(*) filter (where s.state = 'waiting_for_retry') as waiting_for_retry,
        count(*) filter (where s.state = 'complete') as complete,
        count(*) filter (where s.state = 'error') as error,
        count(*) filter (where s.state = 'cancelled') as cancelled,
        count(*) filter (where s.state = 'resolved_manually') as resolved_manually,
        count(*) filter (where s.state = 'skipped') as skipped
    from flowledger.step as s
) as c;

-- A step has a due time only while it waits for a retry.
create index step_due on flowledger.step (due_at) where due_at is not null;

-- What people and programs read: views and functions that stay while the tables change.
create schema if not exists flowledger_v1;
