"""What tests use to drive engines: our own, or any other that listens on a socket."""
