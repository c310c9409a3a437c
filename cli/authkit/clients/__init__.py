"""Making a typed client of a project's API with a generator that others keep."""
