"""Command line: one module per command; parse, build configuration, call one use case, map the error."""
