-- Make known the lanes that have unclaimed steps and that no shard knows of, as a shard's: somebody
-- has removed what said so, and no worker comes to those steps. Returns how many there were.
-- Lane 0 needs nobody to know of it.

create or replace function flowledger.relist_queue_lanes(p_shard integer)
returns bigint
language sql
volatile
as $$
    with recursive lanes as (
        (
            select q.lane
            from flowledger.queue as q
            where q.worker_id is null and q.lane > 0
            order by q.lane
            limit 1
        )
        union all
        select n.lane
        from lanes as l
        cross join lateral (
            select q.lane
            from flowledger.queue as q
            where q.worker_id is null and q.lane > l.lane
            order by q.lane
            limit 1
        ) as n
    ),

    added as (
        insert into flowledger.queue_lane (shard, lane)
        select p_shard, l.lane
        from lanes as l
        where not exists (select from flowledger.queue_lane as k where k.lane = l.lane)
        on conflict do nothing
        returning lane
    )

    select count(*) from added;
$$;
