"""The guest's agent: evidence, tokens and secrets for what runs beside it."""
