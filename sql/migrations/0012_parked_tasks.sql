-- Tasks that a coordinator cannot take in or decide on. It leaves them alone, and the others go on.

create table flowledger.parked_task (
    task_id uuid primary key,
    reason text not null,
    parked_at timestamptz not null,
    tried_at timestamptz not null,
    wanted boolean not null default false
);

comment on table flowledger.parked_task is
    'Tasks that are left alone since their log, their template or a row of theirs is wrong. Written by'
    ' the leader of the task''s shard; the row goes when the task goes on.';
comment on column flowledger.parked_task.parked_at is 'since when it is left alone';
comment on column flowledger.parked_task.tried_at is 'when it was last tried, in vain';
comment on column flowledger.parked_task.wanted is 'the leader is to try it again';
