"""Dockerfiles and ignore files: from text to instructions, and what they do to a config. Pure."""
