"""Bytes and file trees on disk: blobs by digest, layers as snapshots, tars in and out."""
