-- Add to the counts of steps in the row that a shard has in flowledger.state_count: p_change by the
-- order of flowledger.ordered_step_states. The caller leads the shard, or nobody does. Locks: the shard's
-- counts.

create or replace function flowledger.add_shard_step_counts(p_shard integer, p_change bigint[])
returns void
language plpgsql
volatile
as $$
begin
    if 0 = all (p_change) then
        return;
    end if;

    update flowledger.state_count
    set
        steps_pending = flowledger.bounded_count(steps_pending) + p_change[1],
        steps_enqueued = flowledger.bounded_count(steps_enqueued) + p_change[2],
        steps_in_progress = flowledger.bounded_count(steps_in_progress) + p_change[3],
        steps_waiting_for_retry = flowledger.bounded_count(steps_waiting_for_retry) + p_change[4],
        steps_complete = flowledger.bounded_count(steps_complete) + p_change[5],
        steps_error = flowledger.bounded_count(steps_error) + p_change[6],
        steps_cancelled = flowledger.bounded_count(steps_cancelled) + p_change[7],
        steps_resolved_manually = flowledger.bounded_count(steps_resolved_manually) + p_change[8],
        steps_skipped = flowledger.bounded_count(steps_skipped) + p_change[9],
        steps_of_tasks = flowledger.bounded_count(steps_of_tasks),
        tasks_blocked = flowledger.bounded_count(tasks_blocked),
        tasks_cancelled = flowledger.bounded_count(tasks_cancelled),
        tasks_complete = flowledger.bounded_count(tasks_complete),
        tasks_error = flowledger.bounded_count(tasks_error),
        tasks_in_progress = flowledger.bounded_count(tasks_in_progress),
        tasks_paused = flowledger.bounded_count(tasks_paused),
        tasks_pending = flowledger.bounded_count(tasks_pending),
        tasks_resolved_manually = flowledger.bounded_count(tasks_resolved_manually),
        tasks_waiting = flowledger.bounded_count(tasks_waiting)
    where shard = p_shard;

    if not found then
        insert into flowledger.state_count (shard) values (p_shard) on conflict do nothing;
        perform flowledger.add_shard_step_counts(p_shard, p_change);
    end if;
end
$$;
