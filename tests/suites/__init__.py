"""Contract suites: what every implementation of a protocol must do, and what they test with."""
