"""Rules of the administrator's: where they come from, and where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.errors import InvalidInputError
from naru.network.admin_rules import AdminRules, read_admin_rules

RULES = AdminRules("/etc/rules.nft", "tcp dport 80 drop\ntcp dprt 80 drop\n")


def test_what_is_loaded_is_what_was_read() -> None:
    with RULES.included() as name:
        assert Path(name).read_text() == RULES.text
    assert not RULES.is_empty
    assert AdminRules("/etc/rules.nft", " \n").is_empty


def test_a_file_need_not_be_there_unless_it_was_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    assert read_admin_rules(None, required=False).text == ""
    assert read_admin_rules(path, required=False).text == ""
    with pytest.raises(InvalidInputError, match=rf"^firewall rules: {path}: no such file$"):
        read_admin_rules(path, required=True)
    path.write_text("drop\n")
    assert read_admin_rules(path, required=True) == AdminRules(str(path), "drop\n")
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidInputError, match="firewall rules: "):
        read_admin_rules(path, required=False)
