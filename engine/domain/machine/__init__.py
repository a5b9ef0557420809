"""The state machines of tasks and steps, and the decisions about them."""
