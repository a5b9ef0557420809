"""Events in the log of Postgres, through the `eventsourcing` library."""
