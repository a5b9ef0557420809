"""Connections to Postgres, what travels on them, and what their errors mean."""
