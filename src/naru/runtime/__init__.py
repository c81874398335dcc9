"""One container as a process: its bundle, its monitor, its log, its end."""
