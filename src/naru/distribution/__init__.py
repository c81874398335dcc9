"""Bytes over the network: one registry at a time."""
