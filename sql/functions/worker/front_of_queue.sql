-- The smallest sort key in the queue of the steps of these templates that any worker may claim;
-- infinity where there are none. p_near, p_locality: claim_steps. Locks nothing.

create or replace function flowledger.front_of_queue(
    p_templates uuid[], p_near integer[] default null, p_locality double precision default 0
)
returns double precision
language sql
stable
as $$
    select coalesce(
        min(
            f.sort_key
            + case when p_near is null or l.shard = any (p_near) then 0 else p_locality end
        ),
        'infinity'
    )
    from (
        select 0::bigint as lane, 0 as shard
        union all
        select k.lane, k.shard from flowledger.queue_lane as k where k.lane <> 0
    ) as l
    cross join lateral (
        select q.sort_key
        from flowledger.queue as q
        where q.lane = l.lane and q.worker_id is null
            and q.template_id = any (p_templates) and not q.exclusive
        order by q.sort_key, q.queued
        limit 1 -- keeps it a look at the front of each
    ) as f;
$$;
