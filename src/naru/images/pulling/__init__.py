"""The parts of a pull: blobs that come, and layers that are unpacked while they do."""
