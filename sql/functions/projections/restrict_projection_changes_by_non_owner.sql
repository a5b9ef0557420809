-- Trigger: who does not own the projections may pause them, pass over the event at which one stands
-- and give up what is being built; a position anywhere else would hide events from its readers.
-- Which columns such a role may write at all, its grants say. Raises 42501.

create or replace function flowledger.restrict_projection_changes_by_non_owner()
returns trigger
language plpgsql
as $$
begin
    if pg_has_role(current_user, (select c.relowner from pg_class as c where c.oid = tg_relid),
        'usage') then
        return new;
    end if;

    if new.position <> old.position and new.position is distinct from old.failed_position
        or new.failed_position is not null and new.failed_position is distinct from
            old.failed_position
        or new.state <> old.state and (old.state, new.state) <> ('building', 'retired')
        or new.epoch <> old.epoch and new.epoch <> old.epoch + 1
        or new.leader is not null and new.leader is distinct from old.leader
    then
        raise exception 'projection %: this role may pause it, pass over the event at which it'
            ' stands, or give up a rebuild, and nothing else', old.name
            using errcode = '42501';
    end if;

    return new;
end
$$;

create or replace trigger projection_is_its_owners
before update on flowledger.projection
for each row execute function flowledger.restrict_projection_changes_by_non_owner();
