"""The verbs of containers, one family a module: create, start, stop, remove, and so on."""
