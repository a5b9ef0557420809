-- Templates of which tasks are open and no live worker claims steps, with how many such tasks there
-- are. A worker that does not say what it claims is taken to claim everything.
--
-- Counts the open tasks by their index, however many have ended.

create or replace function flowledger.templates_without_worker()
returns table (namespace text, name text, version text, tasks bigint)
language sql
stable
set enable_seqscan = off
as $$
    with open_tasks as (
        select t.template_id, count(*) as tasks
        from flowledger.task as t
        where t.ended_at is null
        group by t.template_id
    )

    select t.namespace, t.name, t.version, o.tasks
    from open_tasks as o
    inner join flowledger.template as t on t.template_id = o.template_id
    where not exists (
        select from flowledger.worker as w
        where flowledger.lease_is_unexpired(w.lease_until, w.lease_seconds)
            and (w.templates is null or o.template_id = any (w.templates))
    )
    order by t.namespace, t.name, t.version;
$$;
