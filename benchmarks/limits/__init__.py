"""What is measured beside the API: how fast the same libraries can be on this machine."""
