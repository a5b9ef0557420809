-- An argument of a public function that must not be null. Raises 22004, with its name, where it is.

create or replace function flowledger.require_not_null(p_name text, p_is_given boolean)
returns void
language plpgsql
immutable
as $$
begin
    if p_is_given is not true then
        raise exception '% should be given, and not null', p_name using errcode = '22004';
    end if;
end
$$;
