-- Forget a coordinator process: the shards are shared out among the others. Locks: its row.

create or replace function flowledger.deregister_coordinator(p_coordinator uuid)
returns void
language sql
volatile
as $$
    delete from flowledger.coordinator where coordinator_id = p_coordinator;
$$;
