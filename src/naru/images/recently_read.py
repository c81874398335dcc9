"""Documents of images that were read lately: what a digest names can be no other the next time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from naru.oci.digest import Digest

# A few kilobytes each; a list of more than these reads them all, every time.
_MOST_KEPT = 2048
T = TypeVar("T")


class RecentlyRead(Generic[T]):
    """What was read of blobs lately, by their digests. Any thread may ask."""

    def __init__(self, read: Callable[[Digest], T]) -> None:
        self._read = read
        self._kept: OrderedDict[Digest, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> T:
        """Return what the blob says. Raises what reading it raises."""
        with self._lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
                return found
        found = self._read(digest)
        with self._lock:
            self._kept[digest] = found
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found
