"""The projector: it runs generations of projections behind their leases."""
