-- Tasks wait to begin while their template's workers have enough to do. Those that never wait are
-- written when they have begun, and are not in this index.

create index task_pending on flowledger.task (template_id, priority, created_at, task_id)
where state = 'pending' and not paused;
