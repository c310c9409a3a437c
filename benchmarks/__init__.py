"""Benchmarks of what authkit generates: see README.md."""
