"""Networks that only hold a configuration, and those that are made from one. Pure.

A *configuration network* carries subnets, labels and options, and no container. A network may be
made from it: it then has these, and nothing else of the kind may be said of it.

Spec: moby, libnetwork, validateConfiguration and applyConfigurationTo, for the rules and texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from naru.errors import ForbiddenError, NotFoundError
from naru.network.model import Network, NetworkRequest

CONFIGURATION_DRIVER = "null"


def check_configuration(request: NetworkRequest, *, has_scope: bool) -> None:
    """Look at what is said of a network that holds a configuration, or is made from one.

    `has_scope` says that a scope was named, be it the only one there is.

    Raises:
        ForbiddenError: it is more than such a network can have, in Docker's words.
    """
    if request.is_configuration and (request.internal or request.attachable or has_scope):
        raise ForbiddenError(
            "configuration network can only contain network specific fields. Network operator "
            "fields like [ ingress | internal | attachable | scope ] are not supported."
        )
    if not request.configured_by:
        return
    if request.is_configuration:
        raise ForbiddenError(
            "a configuration network cannot depend on another configuration network"
        )
    if request.pools or request.ipv6 or request.labels or request.ipam_options:
        raise ForbiddenError(
            "user specified configurations are not supported if the network depends on a "
            "configuration network"
        )
    if request.options:
        raise ForbiddenError(
            "network driver options are not supported if the network depends on a configuration "
            "network"
        )


def configured(request: NetworkRequest, networks: Iterable[Network]) -> NetworkRequest:
    """Return a request with what its configuration network says, if it names one.

    Raises:
        NotFoundError: no network of this name holds a configuration, in Docker's words.
    """
    name = request.configured_by
    if not name:
        return request
    for source in networks:
        if source.is_configuration and source.name == name:
            return replace(
                request,
                pools=source.pools,
                ipv4=source.ipv4,
                ipv6=source.ipv6,
                options=source.options,
                labels=source.labels,
                ipam_driver=source.ipam_driver,
                ipam_options=source.ipam_options,
            )
    raise NotFoundError(f'configuration network "{name}" does not exist')


def check_unused(network: Network, others: Iterable[Network]) -> None:
    """Refuse to remove a configuration that networks were made from.

    Raises:
        ForbiddenError: there is one, in Docker's words.
    """
    if network.is_configuration and any(n.configured_by == network.name for n in others):
        raise ForbiddenError(
            f'error while removing network: configuration network "{network.name}" is in use'
        )
