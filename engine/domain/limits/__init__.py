"""How much may happen at once: slots, rates, circuit breakers, and who waits."""
