"""Names and meaning of images: pulled, loaded, committed, saved, removed."""
