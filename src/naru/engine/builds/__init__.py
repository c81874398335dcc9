"""Builds of images: the use-case, the containers of its steps, and its cache."""
