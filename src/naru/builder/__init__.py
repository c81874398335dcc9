"""Dockerfile and context in, image out.

Knows no engine: to run a command it needs a container, and says so in `builder.step_runner`,
which `naru.engine.builds.steps` implements.
"""
