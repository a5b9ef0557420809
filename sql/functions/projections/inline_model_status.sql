-- The models that are written with the decisions, in the columns of projection_status.
-- drop: function flowledger.inline_model_status(double precision, text[])

create or replace function flowledger.inline_model_status(p_patience double precision,
p_topics text[])
returns table (
    name text, generation integer, version integer, state text, standing text, healthy boolean,
    "position" bigint, head bigint, behind bigint, lag double precision,
    host text, pid integer, failed_position bigint, failure text, failures integer, parked bigint,
    rate double precision, seconds_left double precision, created_at timestamptz,
    moved_at timestamptz, skipped bigint, code_changed boolean
)
language sql
stable
as $$
    with placed as (
        select
            r.reached, flowledger.last_position() as head,
            (
                select e.recorded_at from flowledger.event as e
                where e.notification_id > r.reached
                order by e.notification_id
                limit 1
            ) as since,
            (
                select bool_or(flowledger.lease_is_unexpired(s.lease_until, s.lease_seconds))
                from flowledger.counted_shards() as s
            ) as led
        from flowledger.inline_model_position(p_topics) as r (reached)
    ),

    judged as (
        select
            p.*,
            p.reached < p.head
            and p.since < flowledger.seconds_ago(p_patience) as stands
        from placed as p
    )

    select
        'step_readiness', 0, 1, 'inline',
        case
            when p.led is not true then 'no_host'
            when p.reached >= p.head then 'caught_up'
            when p.stands then 'stalled'
            else 'running'
        end,
        p.stands is not true, p.reached, p.head, greatest(p.head - p.reached, 0),
        coalesce(greatest(extract(epoch from flowledger.clock() - p.since), 0),
        0)::double precision,
        null::text, null::integer, null::bigint, null::text, 0, 0::bigint,
        null::double precision, null::double precision, null::timestamptz, null::timestamptz,
        0::bigint, false
    from judged as p;
$$;
