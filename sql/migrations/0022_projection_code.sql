-- Where a projection's method raised is kept with what it said, and what code a generation was
-- built with is known, so that other code under the same version is noticed.

alter table flowledger.projection
    add column failure_traceback text,
    add column code text,
    add column other_code text,
    add column code_changed_at timestamptz;

comment on column flowledger.projection.failure_traceback is
    'where it raised, the end of it; null where nobody knows';
comment on column flowledger.projection.code is
    'a fingerprint of the code that it was built with; null where it could not be told';
comment on column flowledger.projection.other_code is
    'the last other fingerprint that a host of the same version had; null: none had';
comment on column flowledger.projection.code_changed_at is 'since when one had';

alter table flowledger.parked_event add column traceback text;

comment on column flowledger.parked_event.traceback is
    'where the method raised, the end of it; null where it did not, or nobody knows';
