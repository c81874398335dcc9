"""Write a root filesystem that holds the machine's static busybox, as a tar, to stdout."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

_PROGRAM = Path("/bin/busybox")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


def _add(archive: tarfile.TarFile, name: str, kind: bytes, mode: int, content: bytes = b"") -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, len(content)
    archive.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Write the tree; every applet is a link to the one program."""
    applets = subprocess.run(
        [_PROGRAM, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var"):
            _add(archive, name, tarfile.DIRTYPE, 0o755)
        _add(archive, "tmp", tarfile.DIRTYPE, 0o1777)
        _add(archive, "bin/busybox", tarfile.REGTYPE, 0o755, _PROGRAM.read_bytes())
        for applet in sorted(set(applets) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name, text in _FILES.items():
            _add(archive, name, tarfile.REGTYPE, 0o644, text.encode())


if __name__ == "__main__":
    main()
