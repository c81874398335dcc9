"""Layers as bytes and as trees: piped, compressed, unpacked, settled on the disk."""
