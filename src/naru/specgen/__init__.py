"""What to run: from a request, an image's config and host facts to a runtime spec. Pure."""
