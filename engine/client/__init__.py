"""What an application uses: the engine, its tasks, requests, projections and verification."""
