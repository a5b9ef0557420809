-- Leases that end later than they can have been given for, since the clock was ahead then, end as if
-- they were given now: who lives renews them, and of who does not they run out. p_tables are the
-- tables of leases to look at. Notes how far the clock had come, which one that ends beyond a century
-- does not say. Locks: rows of leases, without waiting.

create or replace function flowledger.shorten_overlong_leases(p_tables text[])
returns void
language plpgsql
volatile
as $$
declare
    v_table text;
    v_found boolean;
    v_reached timestamptz;
begin
    foreach v_table in array p_tables loop
        execute format(
            'select count(*) > 0, max(l.lease_until - make_interval(secs => s.seconds))'
            ' filter (where l.lease_until < flowledger.clock() + interval ''100 years'')'
            ' from flowledger.%I as l'
            ' cross join flowledger.bounded_lease_seconds(l.lease_seconds) as s (seconds)'
            ' where l.lease_until > flowledger.clock()'
            ' + make_interval(secs => s.seconds + 1)',
            v_table
        ) into v_found, v_reached;

        continue when not v_found;

        execute format(
            'update flowledger.%1$I as l'
            ' set lease_until = flowledger.clock()'
            ' + make_interval(secs => flowledger.bounded_lease_seconds(l.lease_seconds))'
            ' where l.ctid = any (array('
            ' select m.ctid from flowledger.%1$I as m'
            ' where m.lease_until > flowledger.clock()'
            ' + make_interval(secs => flowledger.bounded_lease_seconds(m.lease_seconds) + 1)'
            ' and %2$s for no key update skip locked))',
            v_table,
            -- its check refuses any change of another row
            case
                when v_table = 'shard' then 'flowledger.shard_is_numbered(m.shard, m.shards)'
                else 'true'
            end
        );

        continue when v_reached is null;

        insert into flowledger.clock_put_back as c (noticed_at, reached)
        values (flowledger.clock(), v_reached)
        on conflict (one) do update
        set noticed_at = excluded.noticed_at, reached = excluded.reached
        where c.reached < flowledger.clock() or c.reached < excluded.reached
            or c.reached > flowledger.clock() + interval '100 years';
    end loop;
end
$$;
