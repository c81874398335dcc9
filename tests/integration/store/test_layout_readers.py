"""Other tools read our content store as an OCI layout."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

from harness.requirements import requires
from naru.linux import fs
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, digest_bytes
from naru.oci.image_config import build_image_config
from naru.oci.manifest import build_index, build_manifest
from naru.oci.platform import host_platform
from naru.store.content import ContentStore
from suites import raw_tar as raw

pytestmark = requires("skopeo")


def test_skopeo_reads_what_we_store(tmp_path: Path) -> None:
    content = ContentStore(tmp_path / "content")
    layer = raw.archive(raw.member("etc/hello", b"hello"))
    packed = gzip.compress(layer, mtime=0)
    config = build_image_config(platform=host_platform(), diff_ids=[DiffId(digest_bytes(layer))])
    manifest = build_manifest(
        Descriptor(
            media_type=mediatype.OCI_CONFIG, digest=content.add(config.raw), size=len(config.raw)
        ),
        [
            Descriptor(
                media_type=mediatype.OCI_LAYER_GZIP, digest=content.add(packed), size=len(packed)
            )
        ],
    )
    content.add(manifest.raw)
    named = Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=len(manifest.raw),
        annotations={"org.opencontainers.image.ref.name": "hello"},
    )
    content.write_index(build_index((named,)))
    answer = subprocess.run(
        ["skopeo", "inspect", f"oci:{content.root}:hello"], capture_output=True, check=True
    )
    assert json.loads(answer.stdout)["Digest"] == manifest.digest
    copy = tmp_path / "copy"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{content.root}:hello", f"dir:{copy}"],
        check=True,
        capture_output=True,
    )
    assert packed in {path.read_bytes() for path in copy.iterdir()}
    fs.remove_tree(copy)
    assert not os.path.exists(copy)
