"""The worker: it claims steps, runs their handlers and reports what became of them."""
