"""Connections to Postgres: pool, arrays, clock, and the translation of errors."""
