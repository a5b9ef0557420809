-- Note that the leader of a shard leaves these tasks alone, and why; one that is parked already was
-- tried again in vain. Raises FL002 where the shard has another epoch or position: then the caller
-- does not know what is stored, and what it saw proves nothing. Locks: the shard row, shared.

create or replace function flowledger.park_tasks(
    p_shard integer, p_epoch bigint, p_position bigint, p_tasks uuid[], p_reasons text[]
)
returns void
language plpgsql
volatile
as $$
declare
    v_now constant timestamptz := flowledger.clock();
begin
    perform from flowledger.shard as s
    where s.shard = p_shard and s.epoch = p_epoch and s.position = p_position
    for share;

    if not found then
        raise exception 'shard % is not at position % with epoch %', p_shard, p_position, p_epoch
            using errcode = 'FL002';
    end if;

    insert into flowledger.parked_task as k (task_id, reason, parked_at, tried_at)
    select i.task, i.reason, v_now, v_now
    from unnest(p_tasks, p_reasons) as i (task, reason)
    order by i.task
    on conflict (task_id) do update
    set reason = excluded.reason, tried_at = excluded.tried_at, wanted = false;
end
$$;
