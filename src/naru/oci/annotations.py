"""Annotations by which indexes say what an image is called.

Spec: image-spec v1.1, annotations.md; containerd, images/annotations.go.
"""

FULL_NAME = "io.containerd.image.name"
"""The whole name of an image, which several entries of an index may share."""

REF_NAME = "org.opencontainers.image.ref.name"
"""Its tag, or in indexes of some tools its whole name."""
