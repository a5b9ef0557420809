-- Keep everybody from changing the rows of a task until the end of the transaction: its
-- coordinator, which begins anew then (make_shard_leaders_reload), and the workers that hold steps of it. Facts
-- may still come. Lock order: shard row, queue rows.

create or replace function flowledger.lock_task(p_task uuid)
returns void
language plpgsql
volatile
as $$
begin
    perform flowledger.make_shard_leaders_reload(p_task);

    perform from flowledger.queue as q
    where q.step_id
        between flowledger.step_id_lower_bound(p_task) and flowledger.step_id_upper_bound(p_task)
    order by q.step_id
    for update;
end
$$;
