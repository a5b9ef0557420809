-- How a rebuild of single tasks stands.

create or replace function flowledger.task_rebuild_request_status(p_rebuild bigint)
returns table (state text, tasks bigint, error text)
language sql
stable
as $$
    select r.state, r.tasks, r.error
    from flowledger.projection_rebuild as r
    where r.rebuild = p_rebuild;
$$;
