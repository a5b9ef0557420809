-- A host is not there any more. Locks: its row.

create or replace function flowledger.deregister_projection_host(p_host uuid)
returns void
language sql
volatile
as $$
    delete from flowledger.projection_host where host_id = p_host;
$$;
