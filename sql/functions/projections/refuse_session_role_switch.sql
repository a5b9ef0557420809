-- Raise 42501 where a projection's methods ended in another role than the one that they were called
-- in, which the session noted as flowledger.projected_as when it left that role. What took another
-- role and gave it back is not seen: a role keeps out mistakes, and nobody who writes SQL with the
-- rights of the host's login.

create or replace function flowledger.refuse_session_role_switch(p_role text)
returns void
language plpgsql
stable
as $$
declare
    v_found text := nullif(current_setting('flowledger.projected_as', true), '');
begin
    if v_found is distinct from p_role then
        raise exception 'a method took the role % in the place of %', v_found, p_role
            using errcode = '42501';
    end if;
end
$$;
