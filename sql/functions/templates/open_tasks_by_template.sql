-- How many tasks of each template are open; templates without any are left out. Counts by the index
-- of open tasks, however many have ended.

create or replace function flowledger.open_tasks_by_template()
returns table (namespace text, name text, version text, tasks bigint)
language sql
stable
set enable_seqscan = off
as $$
    select t.namespace, t.template, t.version, count(*)
    from flowledger.task as t
    where t.ended_at is null
    group by t.namespace, t.template, t.version
    order by t.namespace, t.template, t.version;
$$;
