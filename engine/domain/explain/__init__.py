"""Explanations: why a task has not ended, or why one of its steps does not run."""
