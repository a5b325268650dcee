"""Encryption at rest: records under data keys, data keys under one master key that is kept elsewhere."""
