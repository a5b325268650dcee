"""Who may have which secret: challenge, session, decision, access, release, wrapping. Pure."""
