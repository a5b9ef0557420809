-- How many shards there are to be: what their rows say; where all rows are gone, what the log says
-- of the last change, or one, as a new schema has. Reads the log only where all rows are gone.

create or replace function flowledger.shard_count()
returns integer
language sql
stable
as $$
    select coalesce(
        (select max(s.shards) from flowledger.shard as s),
        (
            select (flowledger.payload_json(e.state, e.encoding) ->> 'shards')::integer
            from flowledger.event as e
            where e.topic = 'shards.changed'
            order by e.notification_id desc
            limit 1
        ),
        1
    );
$$;
