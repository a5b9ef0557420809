"""What was made from the log, held against it."""
