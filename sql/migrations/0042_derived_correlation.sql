-- A task of which nobody said what it correlates with has its own id for that, as text: 37 bytes of
-- each row, and of each of its versions. Rows that are written from now on leave it out.

alter table flowledger.task alter column correlation_id drop not null;

comment on column flowledger.task.correlation_id is 'null where it is the task''s id, but in old rows';
