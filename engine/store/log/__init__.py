"""The event log on Postgres, through the `eventsourcing` library's recorders and mapper."""
