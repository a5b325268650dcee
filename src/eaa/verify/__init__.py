"""Is it genuine: one scheme per TEE, over endorsements given as a value. Never fetches, never waits."""
