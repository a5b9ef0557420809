"""The coordinator: it follows the log and decides, one loop for each shard."""
