-- How old the answers are that are read from a projection, in one place for the views and functions.

create view flowledger.projection_as_of as
select p.name, nullif(p.position, 0) as "position", e.recorded_at as at
from flowledger.projection as p
left join lateral (
    select l.recorded_at
    from flowledger.event as l
    where l.notification_id <= p.position
    order by l.notification_id desc
    limit 1
) as e on true
where p.state = 'serving';

comment on view flowledger.projection_as_of is
    'How far the log has been read into the rows of each projection that answers are read from, and'
    ' when the last event up to there was recorded; nulls where it has read nothing.';
