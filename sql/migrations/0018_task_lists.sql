-- Tasks are listed by what operators look for, the newest first, without reading them all. Columns
-- that change with every task's course are in none but task_state, which leaves out most tasks.

create index task_created on flowledger.task (created_at, task_id);
create index task_template on flowledger.task (namespace, template, created_at, task_id);
create index task_state on flowledger.task (state, created_at, task_id) where state <> 'complete';
create index task_paused on flowledger.task (created_at, task_id) where paused;

-- A task that nobody said anything of has its own id there.
create index task_correlation on flowledger.task (correlation_id, created_at, task_id)
where correlation_id <> task_id::text;
