"""The body of update, and what it meant in the version that the client speaks. Pure.

Spec: Engine API 1.50, ContainerUpdate, and the version history; moby, postContainerUpdate.
"""

from __future__ import annotations

from msgspec import field

from naru.api.host_config import Resources, RestartPolicy
from naru.api.version import ApiVersion


class UpdateRequest(Resources):
    """Limits that are to change; a policy without a name leaves the old one in force."""

    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)


def adapt(request: UpdateRequest, version: ApiVersion) -> None:
    """Make `request` say what it said in `version`."""
    if version < (1, 40):
        request.pids_limit = None
    if version >= (1, 42):
        request.kernel_memory = request.kernel_memory_tcp = 0
    # Zero and less mean no limit; absent means no change.
    if request.pids_limit is not None and request.pids_limit < 0:
        request.pids_limit = 0
