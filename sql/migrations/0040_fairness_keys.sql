-- Tasks with a fairness key take turns to begin: they are found by key, and are in no other index
-- of those that wait.

alter table flowledger.task add column fairness_key text collate "C";

drop index flowledger.task_pending;

create index task_pending on flowledger.task (template_id, priority, created_at, task_id)
where state = 'pending' and not paused and fairness_key is null;

create index task_pending_in_turn
on flowledger.task (template_id, priority, fairness_key, created_at, task_id)
where state = 'pending' and not paused and fairness_key is not null;
