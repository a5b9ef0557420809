"""Protocols between the loops, the client and the store, and the rows that they carry."""
