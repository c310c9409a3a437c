"""The contract of an API: two OpenAPI documents, and which changes between them break clients.

The rules and their names are those of oasdiff, which is a program in Go; no package for Python that
is kept compares schemas. Pure: nothing here reads a file.
"""
