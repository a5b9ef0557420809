-- Ask that the rows of one task, or of all tasks of a template, are built anew in place.

create or replace function flowledger.request_tasks_rebuild(p_name text, p_task uuid,
p_template uuid)
returns bigint
language sql
volatile
as $$
    select pg_notify('flowledger.projection', p_name);

    insert into flowledger.projection_rebuild (name, task_id, template_id, asked_at)
    values (p_name, p_task, p_template, flowledger.clock())
    returning rebuild;
$$;
