-- Keep everybody from changing the rows of a task until the end of the transaction: its
-- coordinator, which begins anew then (bump_shard_epochs), and the workers that hold steps of it. Facts
-- may still come. Lock order: shard row, queue rows.

create or replace function flowledger.lock_task(p_task uuid)
returns void
language plpgsql
volatile
as $$
begin
    perform flowledger.bump_shard_epochs(p_task);

    perform from flowledger.queue as q
    where q.step_id
        between flowledger.step_id_lower_bound(p_task) and flowledger.step_id_upper_bound(p_task)
    order by q.step_id
    for update;
end
$$;
