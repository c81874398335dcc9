"""Media types of layers."""

from __future__ import annotations

import pytest

from naru.errors import NotSupportedError
from naru.oci import mediatype


def test_layers_say_how_they_are_compressed() -> None:
    assert mediatype.layer_compression(mediatype.OCI_LAYER) == ""
    assert mediatype.layer_compression(mediatype.DOCKER_LAYER_GZIP) == "gzip"
    assert mediatype.layer_compression(mediatype.OCI_LAYER_ZSTD) == "zstd"
    assert mediatype.is_layer(mediatype.DOCKER_LAYER)


def test_what_is_no_layer_is_refused() -> None:
    assert not mediatype.is_layer(mediatype.OCI_CONFIG)
    with pytest.raises(NotSupportedError, match="in-toto"):
        mediatype.layer_compression("application/vnd.in-toto+json")
