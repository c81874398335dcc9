"""The body of update, and what it meant in the version that the client speaks. Pure.

`PublishAdd` and `PublishRemove` are our extension. Clients that do not know them never send them.

Spec: Engine API 1.50, ContainerUpdate, and the version history; moby, postContainerUpdate.
"""

from __future__ import annotations

from msgspec import field

from naru.api.host_config import PortMap, Resources, RestartPolicy
from naru.api.version import ApiVersion


class UpdateRequest(Resources):
    """Limits that are to change; a policy without a name leaves the old one in force.

    `publish_add` is what else is to be published, as in the body of create; `publish_remove` are
    ports of the host, `[ADDRESS:]PORT[-PORT][/PROTOCOL]`, that are to lead nowhere any more.
    """

    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)
    publish_add: PortMap = field(default_factory=dict)
    publish_remove: list[str] = field(default_factory=list)

    @property
    def changes_ports(self) -> bool:
        """Say whether it speaks of published ports."""
        return bool(self.publish_add or self.publish_remove)


def adapt(request: UpdateRequest, version: ApiVersion) -> None:
    """Make `request` say what it said in `version`."""
    if version < (1, 40):
        request.pids_limit = None
    if version >= (1, 42):
        request.kernel_memory = request.kernel_memory_tcp = 0
    # Zero and less mean no limit; absent means no change.
    if request.pids_limit is not None and request.pids_limit < 0:
        request.pids_limit = 0
