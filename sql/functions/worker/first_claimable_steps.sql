-- The first rows of the queue that nobody has claimed, at most so many, in the order in which they
-- are claimed, of all the lanes that workers look at. Locks nothing.

create or replace function flowledger.first_claimable_steps(p_most integer)
returns setof flowledger.queue
language sql
stable
as $$
    select f.*
    from (select 0::bigint as lane union select k.lane from flowledger.queue_lane as k) as l
    cross join lateral (
        select q.*
        from flowledger.queue as q
        where q.lane = l.lane and q.worker_id is null
        order by q.sort_key, q.queued
        limit p_most
    ) as f
    order by f.sort_key, f.queued
    limit p_most;
$$;
