-- The states of a step, in the order in which they are counted:
-- flowledger.engine.domain.machine.transitions.

create or replace function flowledger.ordered_step_states()
returns text[]
language sql
immutable
parallel safe
as $$
    select '{pending,enqueued,in_progress,waiting_for_retry,complete,error,cancelled,resolved_manually,skipped}'::text[];
$$;
