"""Descriptors on the wire."""

from __future__ import annotations

import msgspec
import pytest

from naru.errors import CorruptDataError
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, digest_bytes
from naru.oci.platform import Platform


def test_the_wire_names_are_the_specs() -> None:
    descriptor = Descriptor(
        media_type="m",
        digest=digest_bytes(b""),
        size=0,
        artifact_type="t",
        platform=Platform(os="linux", architecture="arm", os_version="1"),
    )
    encoded = msgspec.json.encode(descriptor)
    assert {"mediaType", "digest", "size", "artifactType", "platform"} == set(
        msgspec.json.decode(encoded)
    )
    assert b'"os.version":"1"' in encoded
    assert msgspec.json.decode(encoded, type=Descriptor) == descriptor


@pytest.mark.parametrize(
    "bad",
    [
        Descriptor(digest=Digest("sha256:x"), size=0),
        Descriptor(digest=digest_bytes(b""), size=-1),
        Descriptor(digest=digest_bytes(b""), size=2**63),
        Descriptor(digest=Digest("../../etc/passwd"), size=1),
    ],
)
def test_senseless_descriptors_are_refused(bad: Descriptor) -> None:
    with pytest.raises(CorruptDataError, match="descriptor"):
        bad.checked()
