-- Trigger: who does not own the projections may put aside the event at which one stands, as passed
-- over, and ask that one that was put aside is retried or dropped. Any other row would keep an event
-- from a projection's readers, or have it applied once more. Raises 42501.

create or replace function flowledger.restrict_parked_events_by_non_owner()
returns trigger
language plpgsql
as $$
begin
    if pg_has_role(current_user, (select c.relowner from pg_class as c where c.oid = tg_relid),
        'usage') then
        return new;
    end if;

    if tg_op = 'UPDATE' and new.skipped_at is not distinct from old.skipped_at then
        if new.requested_action in ('retry', 'drop') then
            return new;
        end if;
    elsif new.skipped_at is not null
        and (new.requested_action is null or tg_op = 'UPDATE'
            and new.requested_action = old.requested_action)
        and exists (
            select from flowledger.projection as p
            where p.name = new.name and p.generation = new.generation
                and p.failed_position = new.position and p.failed_position > p.position
        )
    then
        return new;
    end if;

    raise exception 'projection %: this role may have it pass over the event at which it stands, and'
        ' ask that parked events are retried or dropped, and nothing else', new.name
        using errcode = '42501';
end
$$;

create or replace trigger parked_events_are_their_owners
before insert or update on flowledger.parked_event
for each row execute function flowledger.restrict_parked_events_by_non_owner();
