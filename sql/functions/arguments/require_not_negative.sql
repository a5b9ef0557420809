-- A number or a time of a public function that must not be below 0. Raises 22023, with its name and
-- the value, where it is.

create or replace function flowledger.require_not_negative(
    p_name text, p_value text, p_is_negative boolean
)
returns void
language plpgsql
immutable
as $$
begin
    if p_is_negative then
        raise exception '% should be 0 or more, not %', p_name, p_value using errcode = '22023';
    end if;
end
$$;
