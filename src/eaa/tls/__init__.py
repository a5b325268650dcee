"""Attested TLS: evidence in certificates and channels, key binding, the decision about a peer. No sockets."""
