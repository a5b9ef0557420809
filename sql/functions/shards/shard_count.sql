-- How many shards there are to be: what their rows say; where all rows are gone, what the log says
-- of the last change, or one, as a new schema has. Reads the log only where all rows are gone,
-- and passes over what is no number of shards: whoever may append may say anything.

create or replace function flowledger.shard_count()
returns integer
language sql
stable
as $$
    select coalesce(
        (select max(s.shards) from flowledger.shard as s),
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
        1
    );
$$;
