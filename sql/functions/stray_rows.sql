-- Rows beside the log that nothing in the log stands behind: of a step that has no event, or one of
-- another task; of a task or a template that has none. Also tasks that are left to the coordinator
-- and are in the log already. stream is the id by which the log does not know them.

create or replace function flowledger.stray_rows()
returns table (relation text, task_id uuid, step text, stream uuid)
language sql
stable
as $$
    select 'queue', q.task_id, q.step, q.step_id
    from flowledger.queue as q
    where not exists (
        select from flowledger.event as e
        where e.originator_id = q.step_id and e.task_id = q.task_id
    )
    union all
    select 'timer', t.task_id, t.step, t.step_id
    from flowledger.timer as t
    where not exists (
        select from flowledger.event as e
        where e.originator_id = t.step_id and e.task_id = t.task_id
    )
    union all
    select 'held_step', h.task_id, h.step, h.step_id
    from flowledger.held_step as h
    where not exists (select from flowledger.event as e where e.originator_id = h.task_id)
        or h.step_id not between flowledger.least_step_id(h.task_id)
            and flowledger.greatest_step_id(h.task_id)
    union all
    select 'slot', null, s.limit_key, s.step_id
    from flowledger.slot as s
    where not exists (select from flowledger.event as e where e.originator_id = s.step_id)
    union all
    select 'template', null, null, t.template_id
    from flowledger.template as t
    where not exists (select from flowledger.event as e where e.originator_id = t.template_id)
    union all
    select 'submission', s.task_id, null, s.task_id
    from flowledger.submission as s
    where exists (select from flowledger.event as e where e.originator_id = s.task_id);
$$;
