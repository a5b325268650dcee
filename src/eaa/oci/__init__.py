"""Encrypted container images: key ids, packets, layers, manifests, sealed secrets. Pure."""
