-- Trigger: the log is append-only. Raises FL001.

create or replace function flowledger.refuse_log_change()
returns trigger
language plpgsql
as $$
begin
    raise exception 'the log is append-only: % is refused', tg_op using errcode = 'FL001';
end
$$;

create or replace trigger event_is_append_only
before update or delete or truncate on flowledger.event
for each statement execute function flowledger.refuse_log_change();
