"""Failures of handlers: classification, their stored form, and answers of HTTP services."""
