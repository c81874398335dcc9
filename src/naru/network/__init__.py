"""Which address, which wire, which port, which name."""
