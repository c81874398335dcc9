"""Naru: containers through Docker's API, in Python.

`naru.daemon` is the engine, `naru.cli` the command; ARCHITECTURE.md draws the map of the rest.
"""
