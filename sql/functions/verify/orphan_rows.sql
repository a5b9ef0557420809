-- Rows beside the log that belong to nothing in it: of a task that is not known, or by an id that
-- no step of the row's task can have; slots by an id that no step of any task can have; templates
-- without a stream, and steps of templates that have neither a stream nor a row. Also tasks that are left to the coordinator and are in the log already, and
-- parked tasks of which nothing is stored at all. stream is the id of the row.

create or replace function flowledger.orphan_rows()
returns table (relation text, task_id uuid, step text, stream uuid)
language sql
stable
as $$
    select w.relation, w.task_id, w.step, w.stream
    from (
        select 'queue' as relation, q.task_id, q.step, q.step_id as stream
        from flowledger.queue as q
        union all
        select 'timer', t.task_id, t.step, t.step_id
        from flowledger.timer as t
        where t.step_id <> t.task_id
        union all
        select 'waiting_step', h.task_id, h.step, h.step_id
        from flowledger.waiting_step as h
    ) as w
    where not (
        flowledger.task_exists(w.task_id)
        or exists (select from flowledger.task as k where k.task_id = w.task_id)
    ) or w.stream not between flowledger.step_id_lower_bound(w.task_id)
            and flowledger.step_id_upper_bound(w.task_id)
    union all
    select 'timer', t.task_id, t.step, t.step_id
    from flowledger.timer as t
    where t.step_id = t.task_id
        and not flowledger.task_exists(t.task_id)
        and not exists (select from flowledger.task as k where k.task_id = t.task_id)
    union all
    select 'slot', null, s.limit_key, s.step_id
    from flowledger.slot as s
    cross join lateral (
        select
            (overlay(left(s.step_id::text,
            19) placing '7' from 15) || '0000-000000000000')::uuid as low,
            (overlay(left(s.step_id::text,
            19) placing '7' from 15) || 'ffff-ffffffffffff')::uuid as high
    ) as r
    where not exists (
        select from flowledger.event as e where e.originator_id between r.low and r.high
    ) and not exists (
        select from flowledger.task as k where k.task_id between r.low and r.high
    )
    union all
    select 'template', null, null, t.template_id
    from flowledger.template as t
    where not exists (select from flowledger.event as e where e.originator_id = t.template_id)
    union all
    select distinct 'template_step', null::uuid, null, s.template_id
    from flowledger.template_step as s
    where not exists (select from flowledger.template as t where t.template_id = s.template_id)
        and not exists (select from flowledger.event as e where e.originator_id = s.template_id)
    union all
    select 'submission', s.task_id, null, s.task_id
    from flowledger.submission as s
    where exists (select from flowledger.event as e where e.originator_id = s.task_id)
    union all
    select 'parked_task', k.task_id, null, k.task_id
    from flowledger.parked_task as k
    where not flowledger.task_exists(k.task_id)
        and not exists (select from flowledger.task as t where t.task_id = k.task_id)
        and not exists (
            select
            from flowledger.event as e
            where e.originator_id
                between flowledger.step_id_lower_bound(k.task_id)
                    and flowledger.step_id_upper_bound(k.task_id)
        );
$$;
