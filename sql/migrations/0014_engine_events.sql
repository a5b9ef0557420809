-- What is no task's is found without reading the whole log: few events, among millions of others.

create index event_apart on flowledger.event (notification_id) where task_id is null;
