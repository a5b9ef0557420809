"""Templates, the definitions of workflows: their parts, checks, policies and compiled plans."""
