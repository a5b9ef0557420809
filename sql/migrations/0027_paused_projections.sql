-- Whether a projection is paused stands beside how far it has read the log.

create or replace view flowledger.projection_as_of as
select p.name, nullif(p.position, 0) as "position", e.recorded_at as at, p.paused
from flowledger.projection as p
left join lateral (
    select l.recorded_at
    from flowledger.event as l
    where l.notification_id <= p.position
    order by l.notification_id desc
    limit 1
) as e on true
where p.state = 'serving';
