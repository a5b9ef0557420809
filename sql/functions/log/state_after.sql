-- The state of a task or a step after an event of that topic, where p_state was its state before;
-- null where the event changes no state. The tables of flowledger.engine.domain.machine.transitions
-- in one column: every event leads to one state wherever it is met, and a pause leaves a task where
-- it is.

create or replace function flowledger.state_after(p_topic text, p_state text)
returns text
language sql
immutable
parallel safe
as $$
    select case p_topic
        when 'task.created' then 'pending'
        when 'task.waiting' then 'waiting'
        when 'task.started' then 'in_progress'
        when 'task.wait_ended' then 'in_progress'
        when 'task.completed' then 'complete'
        when 'task.failed' then 'error'
        when 'task.blocked' then 'blocked'
        when 'task.reopened' then 'in_progress'
        when 'task.resolved_manually' then 'resolved_manually'
        when 'task.timed_out' then 'error'
        when 'task.cancelled' then 'cancelled'
        when 'task.paused' then p_state
        when 'task.resumed' then p_state
        when 'step.enqueued' then 'enqueued'
        when 'step.failed' then 'error'
        when 'step.started' then 'in_progress'
        when 'step.dequeued' then 'pending'
        when 'step.checkpointed' then 'in_progress'
        when 'step.completed' then 'complete'
        when 'step.attempt_failed' then 'waiting_for_retry'
        when 'step.released' then 'waiting_for_retry'
        when 'step.timed_out' then 'waiting_for_retry'
        when 'step.lease_expired' then 'waiting_for_retry'
        when 'step.cancel_signalled' then 'in_progress'
        when 'step.retry_scheduled' then 'waiting_for_retry'
        when 'step.reset' then 'pending'
        when 'step.cancelled' then 'cancelled'
        when 'step.skipped' then 'skipped'
        when 'step.resolved_manually' then 'resolved_manually'
        when 'step.completed_manually' then 'complete'
    end;
$$;
