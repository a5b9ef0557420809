-- What workers note beside the log, for people and for one another.

alter table flowledger.queue
    add column alone boolean not null default false,
    add column beaten_at timestamptz,
    add column details jsonb;

comment on column flowledger.queue.alone is
    'so many workers were lost with the step that the next one runs nothing beside it';
comment on column flowledger.queue.beaten_at is 'when the running handler last said that it is alive';
comment on column flowledger.queue.details is 'what it said then';

create index queue_alone on flowledger.queue (template_id) where worker_id is null and alone;

alter table flowledger.worker
    add column condition text not null default 'ready'
    check (condition in ('ready', 'isolated', 'worn_out'));

comment on column flowledger.worker.condition is
    'isolated: it takes only steps that are to run alone; worn_out: it claims nothing any more,'
    ' since too many abandoned handlers take its places';
