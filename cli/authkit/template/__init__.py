"""The template: every released version in one git bundle, and any of them rendered by copier."""
