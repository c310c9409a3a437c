"""Access tokens that other services can verify: key pairs in place of the secret."""
