"""One module per kind of step."""
