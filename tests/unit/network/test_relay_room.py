"""Room that is taken and given back, and never more than there is."""

from __future__ import annotations

import resource

from naru.network.relay_room import Room, datagram_room, stream_room


def test_what_is_taken_is_gone_until_it_comes_back() -> None:
    room = Room(3)
    assert room.take(2)
    assert not room.take(2)
    room.give_back(1)
    assert room.take(2)


def test_who_waits_is_told_once_and_may_wait_again() -> None:
    room, told = Room(0), []

    def tell() -> None:
        told.append(room.take(1))
        room.wait(tell)

    room.wait(tell)
    room.give_back(1)
    room.give_back(0)
    assert told == [True, False]


def test_relays_leave_most_descriptors_to_the_engine() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    streams, datagrams = stream_room(), datagram_room()
    assert streams.take(most // 5)
    assert datagrams.take(most // 10)
    assert not streams.take(most // 10)
    assert not datagrams.take(most // 20)
