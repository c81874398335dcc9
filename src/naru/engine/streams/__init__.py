"""What clients exchange with containers' processes: attach, exec, logs."""
