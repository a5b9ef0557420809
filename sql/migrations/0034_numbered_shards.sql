-- A row of flowledger.shard is of one of so many shards as it says that there are, and of as many as
-- can be. Rows that are there already stay: readers pass them over, `verify` names them and `repair`
-- mends them.

alter table flowledger.shard
    add constraint shard_number_check check (
        shards >= 1 and shards <= 1024 and shard >= 0 and shard < shards
    ) not valid;
