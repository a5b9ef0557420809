"""Log lines of the engine, and what is told of outages."""
