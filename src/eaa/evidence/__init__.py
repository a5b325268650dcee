"""What the bytes say: one module per evidence format. Well-formed is all that is established here."""
