"""The texts that containers find in /etc."""

from __future__ import annotations

from naru.network.etc_files import (
    hostname_text,
    hosts_text,
    hosts_text_of_host,
    is_resolved_stub,
    resolv_conf_text,
)

LOCAL = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)


def test_hosts_has_dockers_lines_in_dockers_order() -> None:
    text = hosts_text(
        "web.example.com",
        addresses=["172.31.200.2"],
        extra_hosts=[("a", "1.2.3.4"), ("b", "172.31.200.1"), ("c", "::1")],
    )
    assert text == LOCAL + (
        "1.2.3.4\ta\n172.31.200.1\tb\n::1\tc\n172.31.200.2\tweb.example.com web\n"
    )


def test_hosts_names_the_container_with_its_domain() -> None:
    assert hosts_text("web", "example.com", ["10.0.0.2"]).endswith(
        "10.0.0.2\tweb.example.com web\n"
    )
    assert hosts_text("web", addresses=["10.0.0.2"]).endswith("10.0.0.2\tweb\n")


def test_hosts_without_an_address_has_no_own_line() -> None:
    assert hosts_text("web", addresses=[""]) == LOCAL


def test_hosts_names_links_with_all_their_names() -> None:
    text = hosts_text("web", addresses=["10.0.0.3"], links=[("10.0.0.2", ["db", "abc", "data"])])
    assert text == LOCAL + "10.0.0.2\tdb abc data\n10.0.0.3\tweb\n"


def test_hosts_on_the_hosts_network_are_the_hosts_and_more() -> None:
    assert hosts_text_of_host("127.0.0.1 x", [("a", "1.2.3.4")]) == "127.0.0.1 x\n1.2.3.4\ta\n"
    assert hosts_text_of_host("") == ""


def test_hostname_is_one_line() -> None:
    assert hostname_text("web") == "web\n"


def test_resolv_conf_is_the_hosts() -> None:
    text = "# by hand\nsearch a.example b.example\nnameserver 10.0.0.53\noptions edns0\n"
    assert resolv_conf_text(text) == (
        "search a.example b.example\nnameserver 10.0.0.53\noptions edns0\n"
    )


def test_resolv_conf_leaves_out_servers_that_a_container_cannot_reach() -> None:
    text = "nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 10.0.0.1\n"
    assert resolv_conf_text(text) == "nameserver 10.0.0.1\n"
    assert "127.0.0.53" in resolv_conf_text(text, own_loopback=False)


def test_resolv_conf_falls_back_when_no_server_remains() -> None:
    expected = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    assert resolv_conf_text("nameserver 127.0.0.53\n") == expected
    assert resolv_conf_text("") == expected
    assert resolv_conf_text("nonsense\nnameserver\nnameserver x\n") == expected


def test_resolv_conf_says_what_was_asked_for() -> None:
    host = "search h\nnameserver 10.0.0.1\noptions edns0\n"
    assert resolv_conf_text(host, dns=["8.8.8.8"], search=["x.y"], options=["ndots:2"]) == (
        "search x.y\nnameserver 8.8.8.8\noptions ndots:2\n"
    )
    assert resolv_conf_text(host, dns=["127.0.0.1"]).splitlines()[1] == "nameserver 127.0.0.1"


def test_a_dot_means_no_search_domains() -> None:
    assert resolv_conf_text("search h\nnameserver 10.0.0.1\n", search=["."]) == (
        "nameserver 10.0.0.1\n"
    )


def test_of_two_search_lines_the_last_counts() -> None:
    assert resolv_conf_text("domain a\nsearch b c\nnameserver 1.1.1.1\n").startswith("search b c\n")


def test_the_stub_of_systemd_resolved_is_known() -> None:
    assert is_resolved_stub("nameserver 127.0.0.53\noptions edns0\n")
    assert not is_resolved_stub("nameserver 127.0.0.53\nnameserver 10.0.0.1\n")
