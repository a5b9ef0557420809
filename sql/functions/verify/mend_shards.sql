-- Remove rows of flowledger.shard that are of no shard, and have the others say how many there are,
-- each with another epoch: whoever led one begins anew. Returns how many rows were changed. For a
-- caller who has locked all shards (make_shard_leaders_reload).

create or replace function flowledger.mend_shards()
returns bigint
language plpgsql
volatile
as $$
declare
    v_shards constant integer := flowledger.shard_count();
    v_removed bigint;
    v_mended bigint;
begin
    delete from flowledger.shard as s where s.shard not between 0 and v_shards - 1;
    get diagnostics v_removed = row_count;

    update flowledger.shard as s
    set shards = v_shards,
        epoch = greatest(flowledger.bounded_count(s.epoch), 0) + 1
    where s.shards <> v_shards;
    get diagnostics v_mended = row_count;

    return v_removed + v_mended;
end
$$;
