"""Progress of work that is done once for several."""

from __future__ import annotations

from naru.images.progress import Audience


def test_all_who_wait_hear_the_same_and_who_comes_late_the_last() -> None:
    audience = Audience()
    early: list[tuple[str, int | None]] = []
    late: list[tuple[str, int | None]] = []
    with audience.listening("a", lambda *news: early.append(news)):
        audience.tell("a", "Downloading", 1)
        audience.tell("b", "Downloading", 9)
        audience.tell("a", "Downloading", 2)
        with audience.listening("a", lambda *news: late.append(news)):
            audience.tell("a", "Verifying Checksum")
        audience.tell("a", "Downloading", 3)
    assert late == [("Downloading", 2), ("Verifying Checksum", None)]
    assert early == [("Downloading", 1), *late, ("Downloading", 3)]


def test_nothing_is_kept_when_nobody_listens_any_more() -> None:
    audience = Audience()
    heard: list[str] = []
    audience.tell("a", "Downloading", 1)
    with audience.listening("a", lambda status, _: heard.append(status)):
        audience.tell("a", "Extracting")
    audience.tell("a", "Extracting")
    with audience.listening("a", lambda status, _: heard.append(status)):
        pass
    assert heard == ["Extracting"]
    assert vars(audience) == {"_listeners": {}, "_last": {}}
