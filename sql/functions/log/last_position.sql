-- The last position of the log; 0 where nothing has happened.

create or replace function flowledger.last_position()
returns bigint
language sql
stable
as $$
    select coalesce(max(e.notification_id), 0) from flowledger.event as e;
$$;
