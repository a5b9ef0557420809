"""The client side: the engine, task handles, requests, projections and verification."""
