"""Is it acceptable: reference values, policy, the rules, and the result with its reasons. Pure."""
