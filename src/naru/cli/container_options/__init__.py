"""What `run`, `create` and `exec` take: each module reads one family of options into wire JSON."""
