-- Have a shard, whose row the caller has locked, go on with a new lane of the queue. Lanes without
-- an unclaimed step are forgotten. There are never more than eight: what lingers in the others is
-- moved to the new one. Locks: queue rows.

create or replace function flowledger.open_queue_lane(p_shard integer, p_lane bigint)
returns void
language plpgsql
volatile
as $$
declare
    v_crowded bigint[];
begin
    delete from flowledger.queue_lane as l
    where l.shard = p_shard and not exists (
        select from flowledger.queue as q where q.lane = l.lane and q.worker_id is null
    );

    v_crowded := array(
        select l.lane
        from flowledger.queue_lane as l
        where l.shard = p_shard
        order by l.lane desc
        offset 7
    );

    if v_crowded <> '{}' then
        update flowledger.queue as q
        set lane = p_lane
        where q.lane = any (v_crowded) and q.worker_id is null;

        delete from flowledger.queue_lane as l where l.shard = p_shard and l.lane = any (v_crowded);
    end if;

    insert into flowledger.queue_lane (shard, lane) values (p_shard, p_lane);
end
$$;
