-- Functions of an early schema that were made anew under other names, and not dropped then.

do $drop$
declare
    found regprocedure;
begin
    for found in
        select p.oid from pg_proc as p
        where p.pronamespace = 'flowledger'::regnamespace
            and p.proname in ('find_held_steps', 'held_steps', 'store_held_steps')
    loop
        execute format('drop function %s', found);
    end loop;
end
$drop$;
