"""A disk whose power can be cut: what had not reached it then is lost, as on a real one.

A journaled ext4 in a file. At a cut the kernel's own shutdown of the file system lets nothing more
through, and the next mount replays the journal: files that nobody synced may be empty then, and
names that changed may be the old ones.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
import subprocess
from pathlib import Path

from harness.narud import EngineUnderTest

# linux/fs.h, ext4.h: FS_IOC_SHUTDOWN, and the flag not even to write the journal.
_SHUTDOWN, _NOTHING_MORE = 0x8004587D, struct.pack("I", 2)


class MortalDisk:
    """An ext4 of its own, mounted at `place`."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.place = folder / "disk"
        self.place.mkdir(mode=0o711)
        self._image = folder / "disk.img"
        with self._image.open("wb") as file:
            file.truncate(size_bytes)
        _run("mkfs.ext4", "-q", self._image)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", "-o", "loop", self._image, self.place)

    def write_journal(self) -> None:
        """Let all names be on the disk as they are; what is in files is not written with them."""
        marker = self.place / "marker"
        with marker.open("wb") as file:
            os.fsync(file.fileno())
        marker.unlink()

    def cut(self) -> None:
        """Let nothing that is not there already reach the disk."""
        descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NOTHING_MORE)
        finally:
            os.close(descriptor)

    def return_power(self) -> None:
        """Mount it again, with what the journal says."""
        self.remove()
        # Other namespaces may keep the dead file system for a while, and its file with it.
        again = self._image.with_name(f"{self._image.name}.again")
        _run("cp", "--sparse=always", self._image, again)
        again.rename(self._image)
        self._mount()

    def remove(self) -> None:
        """Unmount it, whoever uses it."""
        _run("umount", "--lazy", self.place)


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def cut_power(engine: EngineUnderTest, disk: MortalDisk) -> None:
    """Take the power from an engine whose data are on `disk`, and start it in the next boot."""
    disk.cut()
    engine.lose_power()
    disk.return_power()
    database = sqlite3.connect(engine.data_root / "naru.db")
    with database:
        # This kernel goes on: what was noted in this boot has to be of another one.
        database.execute("UPDATE snapshots SET unsettled_boot = 'b' WHERE unsettled_boot != ''")
        database.execute("UPDATE unsettled_blobs SET boot = 'b'")
    database.close()
    engine.start_engine()
