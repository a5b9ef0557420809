-- Queued steps that no live worker claims, by their template: how many there are, and since when
-- the first of them waits. A worker that does not say what it claims is taken to claim everything.
-- name is null where the template is gone.
--
-- Reads the whole queue once.

create or replace function flowledger.queued_steps_without_worker()
returns table (
    template_id uuid, namespace text, name text, version text, steps bigint, since timestamptz
)
language sql
stable
as $$
    with waiting as (
        select q.template_id, count(*) as steps, min(q.queued) as first
        from flowledger.queue as q
        where q.worker_id is null
        group by q.template_id
    )

    select
        w.template_id, t.namespace, t.name, t.version, w.steps,
        (
            select flowledger.time_from_microseconds(
                flowledger.payload_occurred_at(e.state, e.encoding)
            )
            from flowledger.queue as q
            inner join flowledger.event as e
                on e.originator_id = q.step_id and e.originator_version = q.stream_version
            where q.queued = w.first and q.template_id = w.template_id
        )
    from waiting as w
    left join flowledger.template as t on t.template_id = w.template_id
    where not exists (
        select from flowledger.worker as k
        where flowledger.lease_is_unexpired(k.lease_until, k.lease_seconds)
            and (k.templates is null or w.template_id = any (k.templates))
    )
    order by t.namespace, t.name, t.version, w.template_id;
$$;
