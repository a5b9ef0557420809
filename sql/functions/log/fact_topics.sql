-- The topics of events that coordinators decide on: flowledger.engine.events.step.

create or replace function flowledger.fact_topics()
returns text[]
language sql
immutable
parallel safe
as $$
    select '{step.attempt_failed,step.cancel_requested,step.checkpointed,step.complete_requested,step.completed,step.released,step.reset_requested,step.resolve_requested,step.skip_requested,step.started,task.cancel_requested,task.created,task.fail_requested,task.pause_requested,task.reset_requested,task.resolve_requested,task.resume_requested,template.paused,template.resumed}'::text[];
$$;
