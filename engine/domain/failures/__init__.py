"""What went wrong in user code, and what it means."""
