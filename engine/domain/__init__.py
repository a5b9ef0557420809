"""The rules, as pure functions: templates, state machines, decisions, limits and explanations."""
