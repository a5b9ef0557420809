-- Nine functions said the same as their public twins, which now do the work themselves.

drop function if exists flowledger.dependency_levels(uuid);
drop function if exists flowledger.next_retry_at(uuid, text);
drop function if exists flowledger.ready_tasks(integer);
drop function if exists flowledger.step_readiness_batch(uuid[]);
drop function if exists flowledger.stuck_tasks(interval);
drop function if exists flowledger.system_health();
drop function if exists flowledger.task_execution_contexts(uuid[]);
drop function if exists flowledger.task_summary(uuid);
drop function if exists flowledger.transitive_dependencies(uuid, text);

delete from flowledger.applied_file
where path = any (array[
    'functions/readiness/dependency_levels.sql',
    'functions/readiness/next_retry_at.sql',
    'functions/readiness/ready_tasks.sql',
    'functions/readiness/step_readiness_batch.sql',
    'functions/readiness/stuck_tasks.sql',
    'functions/readiness/system_health.sql',
    'functions/readiness/task_execution_contexts.sql',
    'functions/readiness/task_summary.sql',
    'functions/readiness/transitive_dependencies.sql'
]);
