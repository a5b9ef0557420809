"""Verification: compares the rows, and the log itself, with what the log says they should be."""
