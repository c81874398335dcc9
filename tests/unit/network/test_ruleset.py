"""The text of our nft tables."""

from __future__ import annotations

from dataclasses import replace

from naru.network.rules import Element
from naru.network.ruleset import Ruleset
from naru.network.turnstile import Turnstile, turnstile_of

OPEN = Ruleset("t")
ASKING = Ruleset("t", Turnstile("br0-out", "br0-in"))
ANY = Element("published", ("tcp", "8080"), ("172.17.0.2", "80"))


def test_the_structure_is_the_same_for_every_engine() -> None:
    other = Ruleset("u")
    signals = [line for line in OPEN.structure().splitlines() if "meta priority" in line]
    renamed = OPEN.structure().replace("table inet t", "table inet u")
    for line in signals:
        renamed = renamed.replace(line, "")
    expected = other.structure()
    for line in other.structure().splitlines():
        if "meta priority" in line:
            expected = expected.replace(line, "")
    assert renamed == expected
    assert signals, "the signal alone differs"


def test_two_engines_have_different_signals() -> None:
    assert OPEN.copying(6) != replace(OPEN, table="u").copying(6).replace(" u", " t")


def test_containers_are_kept_from_the_hosts_loopback() -> None:
    assert "ip daddr 127.0.0.0/8 iifname @bridges drop" in OPEN.structure()


def test_a_replacement_is_the_whole_table_with_its_elements() -> None:
    text = OPEN.replacement([ANY])
    assert text.startswith("add table inet t\ndelete table inet t\ntable inet t {")
    assert text.endswith("add element inet t published { tcp . 8080 : 172.17.0.2 . 80 }\n")


def test_where_the_host_is_asked_nothing_from_elsewhere_is_translated_unasked() -> None:
    def entrances(ruleset: Ruleset) -> list[str]:
        _, _, chain = ruleset.structure().partition("chain prerouting {")
        return [line.strip() for line in chain.partition("}")[0].splitlines() if "jump" in line]

    assert entrances(OPEN) == ["jump published_ports"]
    assert entrances(ASKING) == [
        'iifname "br0-in" jump published_ports',
        "iifname @bridges jump published_ports",
    ]
    assert "asked" not in OPEN.structure()


def test_copies_are_made_only_where_they_are_needed() -> None:
    cleared = "add table ip t\ndelete table ip t\n"
    assert OPEN.copying(4) == cleared
    assert 'dup to 169.254.0.1 device "br0-out"' in ASKING.copying(4)
    assert 'dup to ::1 device "lo"' in OPEN.copying(6)
    assert 'device "br0-out"' not in OPEN.copying(6)


def test_rules_of_the_administrator_come_first_in_the_way() -> None:
    rules = "tcp dport 80 drop\n"
    text = replace(OPEN, admin_rules=rules).structure()
    assert f"chain admin {{\n{rules}\t}}" in text
    _, _, forward = text.partition("chain forward {")
    assert [line.strip() for line in forward.splitlines()[2:4]] == [
        "iifname @bridges jump admin",
        "iifname != @bridges oifname @bridges jump admin",
    ]
    assert "jump admin" not in OPEN.structure()


def test_rules_of_the_administrator_see_what_is_relayed() -> None:
    relaying = replace(OPEN, relays=True)
    assert "relay" not in OPEN.structure()
    assert "jump admin" not in relaying.structure()
    _, _, chain = replace(relaying, admin_rules="drop").structure().partition("chain relayed {")
    rules = [line.strip() for line in chain.splitlines()[1:4]]
    assert rules == ["iifname @internal drop", "jump admin", "}"]


def test_names_of_a_turnstile_fit_the_kernel_and_tell_engines_apart() -> None:
    assert turnstile_of("naru0") == Turnstile("naru0-out", "naru0-in")
    long = turnstile_of("a-bridge-name-1")
    assert len(long.outlet) <= 15
    assert long != turnstile_of("a-bridge-name-2")
