"""The parts of a push: which manifest goes out, what of it is missing there, and its bytes."""
