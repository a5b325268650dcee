"""What the vendor vouches for: certificates, revocation lists, TCB info, identities. Parsed, not trusted."""
