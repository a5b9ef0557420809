-- Where a task's queued and running steps are: who holds each, and how many queue rows that the same
-- workers may claim come before it, counted up to p_most; null where somebody holds it.

create or replace function flowledger.queue_standing(p_task uuid, p_most integer)
returns table (
    step text, alone boolean, before bigint, worker_id uuid, host text, pid integer,
    seen_at timestamptz, lease_until timestamptz, beaten_at timestamptz
)
language sql
stable
as $$
    with mine as materialized (
        select q.*
        from flowledger.queue as q
        where q.step_id
                between flowledger.least_step_id(p_task) and flowledger.greatest_step_id(p_task)
            and q.task_id = p_task
    ), rivals as materialized (
        select array_agg(distinct r.template_id) as templates
        from (
            select m.template_id from mine as m
            union all
            select unnest(w.templates)
            from flowledger.worker as w
            where w.lease_until > flowledger.clock()
                and exists (select from mine as m where m.template_id = any (w.templates))
        ) as r (template_id)
    )

    select
        m.step, m.alone,
        case when m.worker_id is null then (
            select count(*)
            from (
                select from flowledger.queue as b, rivals as r
                where b.worker_id is null
                    and (b.turn, b.queued) < (m.turn, m.queued)
                    and b.template_id = any (r.templates)
                limit p_most
            ) as c
        ) end,
        m.worker_id, w.host, w.pid, w.seen_at,
        nullif(w.lease_until, '-infinity'), m.beaten_at
    from mine as m
    left join flowledger.worker as w on w.worker_id = m.worker_id;
$$;
