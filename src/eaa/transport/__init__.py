"""Attested channels on real sockets."""
