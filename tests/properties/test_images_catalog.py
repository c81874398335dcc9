"""The image catalog against a model: whatever is tagged and removed, names mean what they should."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from naru.clock import SystemClock
from naru.db.database import Database
from naru.db.images import ImageRow, ImageRows
from naru.errors import ConflictError, NotFoundError
from naru.images.catalog import Catalog
from naru.oci.digest import Digest
from naru.oci.reference import Reference
from naru.store.content import ContentStore

# Numbers whose ids begin alike, two and two.
_CONFIGS = [
    f'{{"os":"linux","architecture":"amd64","author":"{number}"}}'.encode()
    for number in (0, 12, 7, 50)
]
_numbers = st.integers(0, len(_CONFIGS) - 1)
_names = st.sampled_from(["x:1", "x:2", "y:1", "reg.lan/x:1"])


class CatalogMachine(RuleBasedStateMachine):
    """The model is a dict from names to images, and the set of images."""

    @initialize()
    def begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self._folder.name)
        content = ContentStore(root / "content")
        self.ids = [str(content.add(raw)) for raw in _CONFIGS]
        self.manifest = content.add(b"{}")
        self.rows = ImageRows(Database(root / "db"))
        self.catalog = Catalog(
            self.rows, content, SystemClock(), changed=int, collect=list, settle=int
        )
        self.names: dict[str, str] = {}
        self.images: set[str] = set()

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(number=_numbers, names=st.lists(_names, max_size=2))
    def add(self, number: int, names: list[str]) -> None:
        row = ImageRow(Digest(self.ids[number]), self.manifest, None)
        self.catalog.add([(row, [Reference.parse(name) for name in names])])
        self.images.add(self.ids[number])
        self.names.update(dict.fromkeys(names, self.ids[number]))

    @precondition(lambda self: self.images)
    @rule(name=_names, data=st.data())
    def tag(self, name: str, data: st.DataObject) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.images)))
        self.catalog.tag(image_id, Reference.parse(name))
        self.names[name] = image_id

    @rule(name=_names, force=st.booleans())
    def remove_by_name(self, name: str, force: bool) -> None:
        if name not in self.names:
            try:
                self._remove(name, force=force)
            except NotFoundError:
                return
            raise AssertionError(f"{name} was removed without being there")
        image_id = self.names.pop(name)
        self._remove(name, force=force)
        if image_id not in self.names.values():
            self.images.discard(image_id)

    @precondition(lambda self: self.images)
    @rule(force=st.booleans(), data=st.data())
    def remove_by_id(self, force: bool, data: st.DataObject) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.images)))
        named = [name for name, target in self.names.items() if target == image_id]
        try:
            self._remove(image_id, force=force)
        except ConflictError:
            assert len(named) > 1
            assert not force
            return
        assert force or len(named) <= 1
        self.images.discard(image_id)
        self.names = {name: target for name, target in self.names.items() if target != image_id}

    @rule(number=_numbers, length=st.integers(1, 64), is_whole=st.booleans())
    def find_by_the_start_of_an_id(self, number: int, length: int, is_whole: bool) -> None:
        digits = self.ids[number].removeprefix("sha256:")[:length]
        fitting = [found for found in self.images if found[7:].startswith(digits)]
        try:
            found = self.catalog.resolve(f"sha256:{digits}" if is_whole else digits).id
        except NotFoundError:
            found = ""
        assert found == (fitting[0] if len(fitting) == 1 else "")

    def _remove(self, name: str, *, force: bool) -> None:
        self.catalog.remove(name, force=force, prune=True, users=lambda _: [])

    @invariant()
    def names_mean_what_the_model_says(self) -> None:
        if not hasattr(self, "catalog"):
            return
        for name in ("x:1", "x:2", "y:1", "reg.lan/x:1"):
            try:
                found = self.catalog.resolve(name).id
            except NotFoundError:
                found = ""
            assert found == self.names.get(name, "")
        assert {image.id for image in self.catalog.images()} == self.images


TestCatalog = CatalogMachine.TestCase
TestCatalog.settings = settings(max_examples=15, stateful_step_count=15)
