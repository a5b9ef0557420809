-- What an operator may write of a projection and of its rebuilds is what the projector can count on
-- from. Rows that are there already stay: the projector counts them from none, `verify` names them
-- and `repair` mends them.

alter table flowledger.projection
    add constraint projection_counts_check check (
        epoch >= 0 and epoch <= 1000000000000
        and failures >= 0 and failures <= 1000000000
        and position >= 0 and started_from >= 0
    ) not valid;

alter table flowledger.projection_rebuild
    add constraint projection_rebuild_tasks_check check (
        tasks >= 0 and tasks <= 1000000000000
    ) not valid;

-- States that no reader knows are none.

alter table flowledger.task
    add constraint task_state_check check (
        state in (
            'pending', 'in_progress', 'waiting', 'blocked', 'complete', 'error', 'cancelled',
            'resolved_manually'
        )
    ) not valid;

alter table flowledger.step
    add constraint step_state_check check (
        state in (
            'pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'complete', 'error',
            'cancelled', 'resolved_manually', 'skipped'
        )
    ) not valid;
