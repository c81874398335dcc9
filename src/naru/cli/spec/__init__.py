"""Every command and option, declared as data."""
