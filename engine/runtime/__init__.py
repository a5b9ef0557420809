"""The loops of a process: coordinators, a worker, and the service that starts and stops them."""
