-- The workers whose lease stands: whether each claims steps of the template (null: it does not
-- say), how many of its places are taken (that reads the whole queue; without p_counted it is
-- null), which templates of the same name in another namespace or version it claims steps of, and
-- whether its configuration keeps it from this one although it has the code.
-- drop: function flowledger.workers_for_template(uuid)
-- drop: function flowledger.workers_for_template(uuid, boolean)

create or replace function flowledger.workers_for_template(
    p_template uuid, p_counted boolean default true
)
returns table (
    worker_id uuid, host text, pid integer, seen_at timestamptz, lease_until timestamptz,
    condition text, serves boolean, concurrency integer, running bigint,
    namesakes text[], excluded boolean
)
language sql
stable
as $$
    select
        w.worker_id, w.host, w.pid, w.seen_at, w.lease_until, w.condition,
        p_template = any (w.templates), w.concurrency, case when p_counted then coalesce(r.steps,
        0) end,
        array(
            select o.namespace || '/' || o.name || '@' || o.version
            from flowledger.template as t
            inner join flowledger.template as o on o.name = t.name
            and o.template_id <> t.template_id
            where t.template_id = p_template and o.template_id = any (w.templates)
            order by 1
        ),
        coalesce(p_template = any (w.excluded_templates), false)
    from flowledger.worker as w
    left join (
        select q.worker_id, count(*) as steps
        from flowledger.queue as q
        where p_counted and q.worker_id is not null
        group by q.worker_id
    ) as r on r.worker_id = w.worker_id
    where flowledger.lease_is_unexpired(w.lease_until, w.lease_seconds)
    order by w.started_at, w.worker_id;
$$;
