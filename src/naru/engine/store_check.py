"""`system check`: what is wrong with the store, and with `repair`, mending it.

The images' own modules find and mend; here containers come in, as those that a finding affects
and as those whose files nobody may touch.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from naru.aio import in_thread
from naru.distribution.auth import RegistryAuth
from naru.engine.containers.image_mounts import owner_of
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.progress import Report, records_of
from naru.errors import ConflictError, NaruError
from naru.images.checking import mending
from naru.images.checking.findings import Finding, Holder, Inventory, LayerFacts, stack_below
from naru.images.checking.inventory import confirmed
from naru.images.checking.verification import Verification
from naru.oci.digest import Digest

_LOCK = "store check"
# Documents first: what they name is known only then; trees last, for they come from blobs.
_ROUNDS = 4
_CLEARED = (
    "blob-unneeded",
    "layer-unneeded",
    "directory-unneeded",
    "write-unneeded",
    "lease-expired",
    "name-dangling",
    "index-outdated",
)


class _CheckEndedError(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to do: without `reads`, blobs and trees are only looked for; `contents` compares all.

    `auths` are logins by registry, for what has to be fetched again.
    """

    repairs: bool = False
    reads: bool = True
    contents: bool = False
    auths: Mapping[str, RegistryAuth] = field(default_factory=dict)


def check_store(ctx: EngineContext, request: CheckRequest) -> AsyncIterator[Json]:
    """Check the store, and yield progress, findings, what became of them, and a summary.

    Each finding comes once, as `{"finding": …}`; when it was mended, or could not be, as
    `{"mended": …}` or `{"left": …}`; at the end comes `{"summary": …}`. One check at a time; a
    second one waits. When the reader goes away it ends, and what it mended stays so.

    Raises, while it is read:
        FaultError: the disk fails.
    """

    async def work(report: Report) -> None:
        async with ctx.locks.hold(_LOCK):
            ended = threading.Event()
            try:
                await _Check(ctx, request, report, ended).run()
            finally:
                ended.set()

    return records_of(ctx.tasks, work, name="check")


class _Check:
    """One check."""

    def __init__(
        self, ctx: EngineContext, request: CheckRequest, report: Report, ended: threading.Event
    ) -> None:
        self._ctx = ctx
        self._request = request
        self._report = report
        self._ended = ended
        self._progress = _Progress(report, ended)
        self._verification = Verification(ctx.images, request.contents, self._progress.read)
        self._told: set[tuple[str, str]] = set()
        self._mended = 0

    async def run(self) -> None:
        left: dict[tuple[str, str], tuple[Finding, str]] = {}
        for _ in range(_ROUNDS):
            inventory, findings = await in_thread(self._look)
            left = {finding.key: (finding, "") for finding in findings}
            if not findings or not self._request.repairs:
                break
            outcomes = await self._mend(inventory, findings)
            left = {finding.key: (finding, reason) for finding, reason in outcomes if reason}
            if len(left) == len(findings):
                break
        if self._request.repairs:
            for finding, reason in left.values():
                self._report({"left": _shown(finding), "reason": reason})
        self._report({"summary": self._summary(left=len(left))})

    def _look(self) -> tuple[Inventory, list[Finding]]:
        """Look at everything, and tell each finding when it is found. Blocking."""
        inventory, findings = confirmed(
            self._ctx.images, lambda: holders(self._ctx), pause=self._pause
        )
        for finding in findings:
            self._tell(finding)
        if self._request.reads:
            self._progress.begin(sum(inventory.blobs.values()))
            known = {finding.key for finding in findings}
            for finding in self._verification.run(inventory):
                if finding.key not in known:
                    self._tell(finding)
                    findings.append(finding)
        return inventory, findings

    def _pause(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise _CheckEndedError

    def _tell(self, finding: Finding) -> None:
        if finding.key not in self._told:
            self._told.add(finding.key)
            self._report({"finding": _shown(finding)})

    async def _mend(
        self, inventory: Inventory, findings: list[Finding]
    ) -> list[tuple[Finding, str]]:
        """Mend what can be; return each finding with the reason why it stays, or nothing."""
        outcomes = []
        order = {"manifest": 0, "index": 0, "config": 1}
        blobs = [finding for finding in findings if mending.is_blob(finding)]
        for finding in sorted(blobs, key=lambda one: order.get(one.what.partition(" ")[0], 2)):
            reason = await mending.mend_blob(
                self._ctx.images, inventory, Digest(finding.thing), self._request.auths
            )
            outcomes.append((finding, reason))
        layers = [f for f in findings if f.kind in ("layer-damaged", "layer-missing")]
        depth = {f.key: len(inventory.below(f.thing)) for f in layers}
        outcomes += [
            (finding, await self._mend_layer(inventory, finding))
            for finding in sorted(layers, key=lambda one: depth[one.key])
        ]
        cleared = [finding for finding in findings if finding.kind in _CLEARED]
        if cleared:
            await in_thread(mending.clear, self._ctx.images, cleared)
            outcomes += [(finding, "") for finding in cleared]
        done = {finding.key for finding, _ in outcomes}
        outcomes += [(f, f.mend) for f in findings if f.key not in done]
        for finding, reason in outcomes:
            if not reason:
                self._mended += 1
                self._report({"mended": _shown(finding)})
        return outcomes

    async def _mend_layer(self, inventory: Inventory, finding: Finding) -> str:
        facts = inventory.layers.get(finding.thing)
        if facts is None:
            return finding.mend
        try:
            await _renew(self._ctx, facts)
        except NaruError as error:
            return error.message
        return ""

    def _summary(self, *, left: int) -> Json:
        return {
            "Blobs": len(self._verification.blobs),
            "Layers": len(self._verification.layers),
            "BytesRead": self._progress.total_read,
            "Findings": len(self._told),
            "Mended": self._mended,
            "Left": left,
        }


async def _renew(ctx: EngineContext, facts: LayerFacts) -> None:
    """Unpack a layer again, and let it take the place of the damaged one.

    Raises:
        ConflictError: something that uses the layer must end first.
        NaruError: it cannot be unpacked.
    """
    _refuse_busy(_users(ctx, facts))
    with ctx.images.lease(mending.OWNER) as lease_id:
        unpacking = await in_thread(mending.unpack_again, ctx.images, facts, lease_id)
        try:
            async with contextlib.AsyncExitStack() as stack:
                # Nobody may be about to mount the old tree when it goes.
                for holder in sorted(_users(ctx, facts)[0], key=lambda one: one.id):
                    await stack.enter_async_context(ctx.locks.hold(holder.id))
                standing, others = _users(ctx, facts)
                _refuse_busy((standing, others))
                await in_thread(
                    mending.put_in_place,
                    ctx.images,
                    facts,
                    unpacking,
                    is_mounted=bool(standing),
                )
                for holder in standing:
                    container = ctx.registry.get(holder.id)
                    if container is not None:
                        container.layer_paths = None
        finally:
            await in_thread(unpacking.drop)


_Users = tuple[list[Holder], list[str]]


def _refuse_busy(users: _Users) -> None:
    standing, others = users
    running = [holder.name for holder in standing if holder.is_running]
    if running:
        names = " ".join(running)
        raise ConflictError(f"running containers use it: naru stop {names}, and repair again")
    if others:
        raise ConflictError("a build uses it: repair again when that has ended")


def _users(ctx: EngineContext, facts: LayerFacts) -> _Users:
    """Return what stands on a layer now: containers, and the keys of whatever else does."""
    snapshots = {info.key: info for info in ctx.images.snapshots.walk()}
    standing = {
        key
        for key, info in snapshots.items()
        if info.kind != "committed" and facts.chain_id in stack_below(snapshots, key)
    }
    containers = [one for one in holders(ctx) if standing.intersection(one.keys)]
    others = standing.difference(*(one.keys for one in containers))
    return containers, sorted(others)


def holders(ctx: EngineContext) -> list[Holder]:
    """Return the containers with what each of them mounts. Any thread may call."""
    views: dict[str, list[str]] = {}
    for info in ctx.images.snapshots.walk():
        if info.kind != "committed":
            views.setdefault(owner_of(info.key), []).append(info.key)
    found = []
    for container in ctx.registry:
        if container.is_leaving:
            continue
        keys = dict.fromkeys((container.layer, *views.get(container.id, ())))
        found.append(Holder(container.id, container.name, container.is_running, tuple(keys)))
    return found


def _shown(finding: Finding) -> Json:
    return {
        "Kind": finding.kind,
        "Thing": finding.thing,
        "What": finding.what,
        "Mend": finding.mend,
        "Images": list(finding.images),
        "Containers": list(finding.containers),
    }


class _Progress:
    """Tells how much was read, a hundred times in all. Called by the thread that reads."""

    def __init__(self, report: Callable[[Json], None], ended: threading.Event) -> None:
        self._report = report
        self._ended = ended
        self._total = 0
        self._current = 0
        self._told = 0
        self.total_read = 0

    def begin(self, total: int) -> None:
        """Begin a round in which about `total` bytes are read."""
        self._total, self._current, self._told = total, 0, 0

    def read(self, size: int) -> None:
        """Hear of bytes.

        Raises:
            _CheckEndedError: nobody waits for the rest.
        """
        if self._ended.is_set():
            raise _CheckEndedError
        self._current += size
        self.total_read += size
        if self._current - self._told > self._total // 100:
            self._told = self._current
            detail = {"current": min(self._current, self._total), "total": self._total}
            self._report({"status": "Checking", "id": "store", "progressDetail": detail})
