"""Limits: admission control, concurrency, rates, circuit breakers, and wait queues."""
