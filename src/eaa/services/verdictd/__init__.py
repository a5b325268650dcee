"""``verdictd``: the verifier and key broker, wired."""
