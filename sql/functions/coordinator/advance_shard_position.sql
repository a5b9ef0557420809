-- Move a shard's position from p_old to p_new and renew its leader's lease. Tasks that were created
-- behind p_created_from are still to be decided on; null: all up to p_new are. -1, and who does not
-- say: as it is, as a release of before that knows nothing of it has to leave it.
-- Raises FL002 where the position or the epoch is another: the caller no longer leads.
-- Locks: the shard row.
-- drop: function flowledger.advance_shard_position(integer, bigint, bigint, bigint, double precision)

create or replace function flowledger.advance_shard_position(
    p_shard integer, p_epoch bigint, p_old bigint, p_new bigint, p_lease double precision,
    p_created_from bigint default -1
)
returns void
language plpgsql
volatile
as $$
begin
    update flowledger.shard
    set position = p_new,
        created_from = case when p_created_from = -1 then created_from else p_created_from end,
        lease_until = flowledger.clock() + make_interval(secs => p_lease)
    where shard = p_shard and position = p_old and epoch = p_epoch
        and flowledger.shard_is_numbered(shard, shards);

    if not found then
        raise exception 'shard % is not at position % with epoch %', p_shard, p_old, p_epoch
            using errcode = 'FL002';
    end if;
end
$$;
