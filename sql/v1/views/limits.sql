-- What is taken of each limit, and who waits for it.

create or replace view flowledger_v1.limits as
select
    l.limit_key, max(l.in_use) as in_use, flowledger.readable_time(max(l.next_at)) as next_at, max(l.waiting) as waiting
from (
    select k.limit_key, k.in_use, null::timestamptz as next_at, 0::bigint as waiting
    from flowledger.slot_count as k
    union all
    select r.limit_key, 0, r.expected_at, 0::bigint
    from flowledger.rate as r
    union all
    select h.limit_key, 0, null::timestamptz, count(*)
    from flowledger.waiting_step as h
    where h.kind in ('slot', 'rate')
    group by h.limit_key
) as l
group by l.limit_key;

comment on view flowledger_v1.limits is
    'The limits of concurrency and rate that are in use; what nobody uses has no row. How much each'
    ' allows, the templates say.
Example: select limit_key, in_use, waiting from flowledger_v1.limits order by waiting desc';
comment on column flowledger_v1.limits.limit_key is 'The name of the limit, with its key.';
comment on column flowledger_v1.limits.in_use is 'How many steps hold a slot of it.';
comment on column flowledger_v1.limits.next_at is
    'Of a rate: when the next step would come if steps came evenly.';
comment on column flowledger_v1.limits.waiting is 'How many steps wait for it.';
