"""The rules: events, states, decisions. Pure: time, identity and chance come in as values."""
