-- Where a task's queued and running steps are: who holds each, and how many queue rows that the
-- same workers may claim come before it, counted up to p_most; null where somebody holds it. Of a
-- long queue only the first 20 times as many rows are looked at: more says that others may come
-- before it.
-- drop: function flowledger.queued_and_running_steps(uuid, integer)

create or replace function flowledger.queued_and_running_steps(p_task uuid, p_most integer)
returns table (
    step text, exclusive boolean, before bigint, worker_id uuid, host text, pid integer,
    seen_at timestamptz, lease_until timestamptz, heartbeat_at timestamptz,
    more boolean
)
language sql
stable
as $$
    with mine as materialized (
        select q.*
        from flowledger.queue as q
        where q.step_id
                between flowledger.step_id_lower_bound(p_task)
                    and flowledger.step_id_upper_bound(p_task)
            and q.task_id = p_task
    ), rivals as materialized (
        select array_agg(distinct r.template_id) as templates
        from (
            select m.template_id from mine as m
            union all
            select unnest(w.templates)
            from flowledger.worker as w
            where flowledger.lease_is_unexpired(w.lease_until, w.lease_seconds)
                and exists (select from mine as m where m.template_id = any (w.templates))
        ) as r (template_id)
    )

    select
        m.step, m.exclusive, c.before, m.worker_id, w.host, w.pid, w.seen_at,
        nullif(w.lease_until, '-infinity'), m.heartbeat_at,
        coalesce(c.before < p_most and c.looked = 20 * p_most, false)
    from mine as m
    left join flowledger.worker as w on w.worker_id = m.worker_id
    left join lateral (
        select
            least(count(*) filter (where f.template_id = any (r.templates)), p_most) as before,
            count(*) as looked
        from (
            select b.template_id
            from (select 0::bigint as lane union select k.lane from flowledger.queue_lane as k) as l
            cross join lateral (
                select q.template_id, q.sort_key, q.queued
                from flowledger.queue as q
                where q.lane = l.lane and q.worker_id is null
                    and (q.sort_key, q.queued) < (m.sort_key, m.queued)
                order by q.sort_key, q.queued
                limit 20 * p_most
            ) as b
            order by b.sort_key, b.queued
            limit 20 * p_most
        ) as f, rivals as r
    ) as c on m.worker_id is null;
$$;
