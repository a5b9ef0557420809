"""Why a task has not ended, or a step of it does not run."""
