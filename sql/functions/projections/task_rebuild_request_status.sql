-- How a rebuild of single tasks stands, of this projection where one is named.
-- drop: function flowledger.task_rebuild_request_status(bigint)

create or replace function flowledger.task_rebuild_request_status(
    p_rebuild bigint, p_name text default null
)
returns table (state text, tasks bigint, error text)
language sql
stable
as $$
    select r.state, r.tasks, r.error
    from flowledger.projection_rebuild as r
    where r.rebuild = p_rebuild and r.name = coalesce(p_name, r.name);
$$;
