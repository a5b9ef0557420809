-- A joint round stores its own facts behind tasks that were created meanwhile. The shard's position
-- moves past both, and the row says from where on the creations are still to be decided on.

alter table flowledger.shard add column created_from bigint;

comment on column flowledger.shard.created_from is
'tasks that were created behind this position are not decided on, although position is further on; null: all are';
