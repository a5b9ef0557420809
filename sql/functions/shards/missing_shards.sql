-- The numbers of shards whose row is gone: nobody can lead them, and nothing of their tasks goes on.

create or replace function flowledger.missing_shards()
returns setof integer
language sql
stable
as $$
    select i
    from generate_series(0, flowledger.shard_count() - 1) as i
    where not exists (select from flowledger.shard as s where s.shard = i)
    order by i;
$$;
