-- Tasks are listed by what operators look for, the newest first, without reading them all. Their ids
-- are in the order of submission. The course of a task that ends well touches none of these but
-- task_template; open tasks have task_open.

create index task_template on flowledger.task (namespace, template, task_id);
create index task_state on flowledger.task (state, task_id)
where state in ('blocked', 'error', 'cancelled', 'resolved_manually');
create index task_paused on flowledger.task (task_id) where paused;
create index task_created on flowledger.task using brin (created_at) with (pages_per_range = 16);

-- A task that nobody said anything of has its own id there.
create index task_correlation on flowledger.task (correlation_id, task_id)
where correlation_id <> task_id::text;
