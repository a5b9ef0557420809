-- Every worker process that is known.

create or replace view flowledger_v1.workers as
select
    w.worker_id, w.host, w.pid, flowledger.readable_time(w.started_at) as started_at,
    flowledger.readable_time(w.lease_until) as lease_until,
    w.lease_until >= clock_timestamp() + o.shift
    and w.lease_until <= clock_timestamp() + o.shift
    + make_interval(secs => flowledger.bounded_lease_seconds(w.lease_seconds) + 1) as live, w.condition, coalesce(q.steps,
    0) as steps,
    case when w.templates is not null then array(
        select t.namespace || '/' || t.name || '@' || t.version
        from flowledger.template as t
        where t.template_id = any (w.templates)
        order by 1
    ) end as serves, w.concurrency
from flowledger.worker as w
cross join (
    select coalesce(max(c.shift), '0') as shift
    from flowledger.clock_offset as c
) as o
left join (
    select c.worker_id, count(*) as steps
    from flowledger.queue as c
    where c.worker_id is not null
    group by c.worker_id
) as q on q.worker_id = w.worker_id;

comment on view flowledger_v1.workers is
    'Every worker process that is known.
Example: select host, pid, condition, steps from flowledger_v1.workers where live';
comment on column flowledger_v1.workers.worker_id is 'Drawn anew when the process starts.';
comment on column flowledger_v1.workers.host is 'Where it runs.';
comment on column flowledger_v1.workers.pid is 'Its process there.';
comment on column flowledger_v1.workers.started_at is 'Since when it is known.';
comment on column flowledger_v1.workers.lease_until is
    'When its steps are given to others, unless it is heard of.';
comment on column flowledger_v1.workers.live is 'Whether that time is still to come.';
comment on column flowledger_v1.workers.condition is
    'ready; isolated: it takes only steps that are to run alone; stuck: it claims nothing more.';
comment on column flowledger_v1.workers.steps is 'How many steps it has claimed.';
comment on column flowledger_v1.workers.serves is
    'The templates whose steps it claims; null: it is of an older version, which does not say.';
comment on column flowledger_v1.workers.concurrency is 'How many steps it runs at once at most.';
