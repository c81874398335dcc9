"""`system check`: facts gathered, findings decided, damage mended."""
