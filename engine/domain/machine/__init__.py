"""The state machine of tasks and steps, and what is decided about them."""
