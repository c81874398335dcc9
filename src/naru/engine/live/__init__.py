"""What this process of the engine holds in memory: one object each, owned by the context.

It is gone with the process, but for the registry, which equals the rows. Use-cases ask and tell
these objects; none of them calls a use-case.
"""
