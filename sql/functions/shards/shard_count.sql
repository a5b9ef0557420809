-- How many shards there are to be: what most rows say, of those that say what can be; where none
-- does, what the log says of the last change; else as many as the last row is of, or one, as a new
-- schema has. Reads the log only where no row says it, and passes over what is no number of shards:
-- whoever may append may say anything.

create or replace function flowledger.shard_count()
returns integer
language sql
stable
as $$
    select coalesce(
        (
            select s.shards
            from flowledger.shard as s
            where flowledger.shard_is_numbered(s.shard, s.shards)
            group by s.shards
            order by count(*) desc, min(s.shard)
            limit 1
        ),
        (
            select c.shards::integer
            from flowledger.event as e
            cross join lateral (
                select flowledger.payload_json(e.state, e.encoding) ->> 'shards' as shards
                offset 0
            ) as c
            where e.topic = 'shards.changed'
                and case
                    when pg_input_is_valid(c.shards, 'integer') then c.shards::integer
                end between 1 and 1024
            order by e.notification_id desc
            limit 1
        ),
        (select max(s.shard) + 1 from flowledger.shard as s where s.shard between 0 and 1023),
        1
    );
$$;
