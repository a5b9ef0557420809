-- What workers can take, for people who ask why nobody takes a step.

alter table flowledger.worker
    add column templates uuid[],
    add column places integer,
    add column seen_at timestamptz;

comment on column flowledger.worker.templates is
    'whose steps it claims; null: registered by an older version, which does not say';
comment on column flowledger.worker.places is 'how many steps it runs at once at most';
comment on column flowledger.worker.seen_at is 'when it last renewed its lease';
