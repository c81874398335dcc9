"""Images come, go out, are named, looked at and removed: what `naru.images` does, with events."""
