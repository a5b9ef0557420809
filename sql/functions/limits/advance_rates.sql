-- Move the expected times of keys on, from a JSON array of {limit_key, old, new, at}; old is null
-- where there was none, and at is when it was decided. Raises FL006 where another shard moved one
-- meanwhile. A time that had passed by then held nobody back, and is as good as none: who decides
-- may have forgotten it. Locks: rates by key.

create or replace function flowledger.advance_rates(p_rows json)
returns void
language plpgsql
volatile
as $$
declare
    r record;
begin
    for r in
        select x.limit_key, x.old, x.new, x.at
        from json_to_recordset(p_rows)
            as x (limit_key text, old timestamptz, new timestamptz, at timestamptz)
        order by x.limit_key
    loop
        if r.old is null or r.old <= r.at then
            insert into flowledger.rate as t (limit_key, expected_at, set_at)
            values (r.limit_key, r.new, r.at)
            on conflict (limit_key) do update
            set expected_at = excluded.expected_at, set_at = excluded.set_at
            where t.expected_at = r.old or t.expected_at <= r.at;
        else
            update flowledger.rate as t
            set expected_at = r.new, set_at = r.at
            where t.limit_key = r.limit_key and t.expected_at = r.old;
        end if;

        if not found then
            raise exception 'the rate of % moved', r.limit_key using errcode = 'FL006';
        end if;
    end loop;
end
$$;
