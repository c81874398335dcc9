"""All containers in memory, equal to their rows at every moment.

A write goes to the database first; memory follows when it held. Look-ups follow Docker's order:
whole id, name, name of a link, unambiguous start of an id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from naru.db.containers import ContainerRow, ContainerRows
from naru.engine.model import (
    Container,
    ContainerRecord,
    ContainerState,
    decode,
    encode_record,
    encode_state,
)
from naru.errors import ConflictError, InvalidInputError, NotFoundError
from naru.ids import is_id_prefix, matching_prefix


class Registry:
    """The engine's containers."""

    def __init__(self, rows: ContainerRows) -> None:
        self._rows = rows
        self._by_id: dict[str, Container] = {}
        self._id_by_name: dict[str, str] = {}
        # Names that nobody but the container with this id may take.
        self._reserved: dict[str, str] = {}
        for row in rows.all():
            self._remember(decode(row.id, row.name, row.record, row.state))

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, container_id: str) -> Container | None:
        """Return the container with this whole id, if it is there."""
        return self._by_id.get(container_id)

    def find(self, name_or_id: str) -> Container:
        """Return the container that a user means.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: it is empty, or the start of an id fits several.
        """
        name = name_or_id.removeprefix("/")
        if not name:
            raise InvalidInputError(f'invalid name or ID supplied: "{name_or_id}"')
        container = self._by_id.get(name) or self._by_id.get(self._id_by_name.get(name, ""))
        if container is not None:
            return container
        parent, is_link, alias = name.partition("/")
        if is_link and (owner := self._by_id.get(self._id_by_name.get(parent, ""))):
            target = self._by_id.get(owner.record.links.get(alias, ""))
            if target is not None:
                return target
        found = matching_prefix(name, self._by_id) if is_id_prefix(name) else []
        if len(found) > 1:
            raise InvalidInputError(f"multiple IDs found with provided prefix: {name}")
        if not found:
            raise NotFoundError(f"No such container: {name_or_id}")
        return self._by_id[found[0]]

    def holder(self, name: str) -> Container | None:
        """Return the container with exactly this name, if there is one."""
        return self._by_id.get(self._id_by_name.get(name, ""))

    @contextlib.contextmanager
    def reserved(self, name: str, container_id: str) -> Iterator[None]:
        """Let nobody else take a name, free or about to be, for the length of the block."""
        self._reserved[name] = container_id
        try:
            yield
        finally:
            del self._reserved[name]

    def is_name_free(self, name: str) -> bool:
        """Say whether no container has this name."""
        return name not in self._id_by_name and name not in self._reserved

    def add(self, container: Container) -> None:
        """Store a new container.

        Raises:
            ConflictError: its name is taken.
        """
        self._refuse_taken_name(container.name, container.id)
        self._rows.insert(
            ContainerRow(
                container.id,
                container.name,
                container.record.image_id,
                encode_record(container.record),
                encode_state(container.state),
            )
        )
        self._remember(container)

    def rename(self, container: Container, name: str) -> None:
        """Store another name for a container.

        Raises:
            ConflictError: the name is taken.
        """
        self._refuse_taken_name(name, container.id)
        self._rows.rename(container.id, name)
        del self._id_by_name[container.name]
        container.name = name
        self._id_by_name[name] = container.id

    def save_state(self, container: Container) -> None:
        """Store the state of a container as it is in memory now."""
        self._rows.save_state(container.id, encode_state(container.state))

    def save_record(self, container: Container, record: ContainerRecord) -> None:
        """Store another record for a container."""
        self._rows.save_record(container.id, encode_record(record))
        container.record = record

    def replace_state(self, container: Container, state: ContainerState) -> None:
        """Store another state for a container."""
        self._rows.save_state(container.id, encode_state(state))
        container.state = state

    def sync(self) -> None:
        """Make what is stored survive a power cut. Blocks on the disk: not for the loop.

        Raises:
            FaultError: the disk failed.
        """
        self._rows.sync()

    def remove(self, container: Container) -> None:
        """Forget a container. Idempotent."""
        self._rows.delete(container.id)
        self._by_id.pop(container.id, None)
        if self._id_by_name.get(container.name) == container.id:
            del self._id_by_name[container.name]

    def _remember(self, container: Container) -> None:
        self._by_id[container.id] = container
        self._id_by_name[container.name] = container.id

    def _refuse_taken_name(self, name: str, wanted_by: str) -> None:
        owner = self._id_by_name.get(name) or self._reserved.get(name, wanted_by)
        if owner != wanted_by:
            raise ConflictError(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
