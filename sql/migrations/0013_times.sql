-- When the last event of a circuit's stream happened: the next one did not happen before it.

alter table flowledger.circuit add column changed_at timestamptz;
