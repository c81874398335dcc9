"""What a build needs of an engine: containers to run its steps in, and images to start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from naru.api.host_config import HostConfig
from naru.distribution.auth import RegistryAuth
from naru.images.catalog import Image
from naru.oci.image_config import RunDefaults
from naru.oci.platform import Platform
from naru.oci.reference import Reference

Report = Callable[[dict[str, object]], None]
Output = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True)
class StepContainer:
    """A container for one step: made from `image_id`, told what to run by `config`."""

    image_id: str
    config: RunDefaults
    host: HostConfig


class StepRunner(Protocol):
    """Makes containers, runs them to their end, and takes them away again.

        container_id, warnings = await runner.create(StepContainer(...))
        code = await runner.run(container_id, output)
        ...                                  # its snapshot has the container's id as its key
        await runner.remove(container_id)    # or keep it

    A container that is cancelled while it runs is killed; `remove` is still called for it. What
    a killed engine leaves of them is for the engine to find and remove.
    """

    async def create(self, container: StepContainer) -> tuple[str, Sequence[str]]:
        """Make a container that does not run yet; return its id, and warnings.

        Raises:
            InvalidInputError, NotSupportedError: the request contradicts itself or this host.
        """

    async def run(self, container_id: str, output: Output) -> int:
        """Run a container to its end; return its exit code.

        `output` gets the stream, 1 or 2, and each piece of its output, all of it before this
        returns.

        Raises:
            StartFailedError: the runtime refused the process.
        """

    async def remove(self, container_id: str) -> None:
        """Remove a container with its anonymous volumes; kill it if it runs. Idempotent."""

    async def keep(self, container_id: str) -> None:
        """Leave a container to the user, who may look at what went wrong in it."""

    async def pull(
        self,
        reference: Reference,
        platform: Platform | None,
        auth: RegistryAuth | None,
        report: Report,
    ) -> Image:
        """Fetch an image and return it; `report` gets Docker's progress records.

        Raises:
            NotFoundError, UnauthenticatedError, FaultError: it cannot be had.
        """
