-- An operator may have a projection pass over the event at which it stands. The event stays among
-- those that it put aside.

alter table flowledger.parked_event add column skipped_at timestamptz;

comment on column flowledger.parked_event.skipped_at is
    'since when the projection has passed over it because an operator said so; null: it was put'
    ' aside by itself';
