"""A generated project as it lies on the disk: its environment, lock, repository and suite."""
