"""The texts of a container's /etc/hosts, /etc/hostname and /etc/resolv.conf. Pure.

Spec: hosts(5), resolv.conf(5); the lines and their order are those of Docker 20.10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address

_LOCAL_LINES = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::0", "ip6-localnet"),
    ("ff00::0", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)
_FALLBACK_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
_COMMENTS = ("#", ";")
# Where containers on networks of the user's own ask for names.
EMBEDDED_SERVER = "127.0.0.11"


def hosts_text(
    hostname: str,
    domainname: str = "",
    addresses: Iterable[str] = (),
    extra_hosts: Iterable[tuple[str, str]] = (),
    links: Iterable[tuple[str, Sequence[str]]] = (),
) -> str:
    """Return the hosts file of a container with its own network namespace.

    `extra_hosts` are pairs of name and address, `host-gateway` resolved already; `links` are
    pairs of an address and its names. `addresses` are the container's own.
    """
    lines = [*_LOCAL_LINES]
    lines += [(address, name) for name, address in extra_hosts]
    lines += [(address, " ".join(names)) for address, names in links]
    own = _own_names(hostname, domainname)
    lines += [(address, own) for address in addresses if address]
    return "".join(f"{address}\t{names}\n" for address, names in lines)


def hosts_text_of_host(host_text: str, extra_hosts: Iterable[tuple[str, str]] = ()) -> str:
    """Return the hosts file of a container on the host's network: the host's, and more."""
    text = host_text if not host_text or host_text.endswith("\n") else f"{host_text}\n"
    return text + "".join(f"{address}\t{name}\n" for name, address in extra_hosts)


def with_own_addresses(
    text: str, *, hostname: str, domainname: str, addresses: Iterable[str]
) -> str:
    """Return a hosts file that says exactly these addresses of the container itself.

    Lines that name it at another address go; all others stay as they are.
    """
    own = _own_names(hostname, domainname)
    wanted = [address for address in addresses if address]
    kept = []
    for line in text.splitlines(keepends=True):
        address, _, names = line.rstrip("\n").partition("\t")
        is_own = names == own and not _is_local(address)
        if not is_own:
            kept.append(line)
        elif address in wanted:
            kept.append(line)
            wanted.remove(address)
    if kept and wanted and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return "".join([*kept, *(f"{address}\t{own}\n" for address in wanted)])


def with_links(text: str, links: Mapping[str, str]) -> str:
    """Return a hosts file in which these names, as they stand on one line, have another address.

    An empty address takes the line away.
    """
    kept = []
    for line in text.splitlines(keepends=True):
        _, _, names = line.rstrip("\n").partition("\t")
        address = links.get(names)
        if address is None:
            kept.append(line)
        elif address:
            kept.append(f"{address}\t{names}\n")
    return "".join(kept)


def hostname_text(hostname: str) -> str:
    """Return /etc/hostname."""
    return f"{hostname}\n"


def resolv_conf_text(
    host_text: str,
    *,
    dns: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    own_loopback: bool = True,
) -> str:
    """Return a resolv.conf from the host's and what was asked for.

    What is asked for replaces the host's lines of that kind; a search of `.` means none.
    With `own_loopback` the container has a loopback of its own, where none of the host's
    name servers listens, and no IPv6: servers that it cannot reach are left out, and when
    none remains, public ones are used.
    """
    servers, host_search, host_options = _parse(host_text)
    if own_loopback:
        servers = [server for server in servers if _is_reachable(server)]
        servers = servers or list(_FALLBACK_NAMESERVERS)
    chosen_search = [name for name in search or host_search if name != "."]
    if "." in search:
        chosen_search = []
    chosen_options = list(options) or host_options
    lines = [f"search {' '.join(chosen_search)}"] if chosen_search else []
    lines += [f"nameserver {server}" for server in dns or servers]
    lines += [f"options {' '.join(chosen_options)}"] if chosen_options else []
    return "".join(f"{line}\n" for line in lines)


def embedded_resolv_conf_text(
    host_text: str,
    *,
    servers: Sequence[str],
    search: Sequence[str] = (),
    options: Sequence[str] = (),
) -> str:
    """Return a resolv.conf that names the embedded server; `servers` stand behind it.

    Names without a dot are asked as they are first: they are those of containers.
    """
    _, host_search, host_options = _parse(host_text)
    chosen_search = [] if "." in search else list(search or host_search)
    chosen_options = list(options) or host_options
    if not any(option.startswith("ndots:") for option in chosen_options):
        chosen_options = [*chosen_options, "ndots:0"]
    lines = [
        "# Names of containers are answered by the engine; all others are passed on.",
        f"nameserver {EMBEDDED_SERVER}",
        *([f"search {' '.join(chosen_search)}"] if chosen_search else []),
        f"options {' '.join(chosen_options)}",
        f"# ExtServers: [{' '.join(servers)}]",
    ]
    return "".join(f"{line}\n" for line in lines)


def name_servers(host_text: str) -> tuple[str, ...]:
    """Return the name servers of a resolv.conf."""
    return tuple(_parse(host_text)[0])


def is_resolved_stub(host_text: str) -> bool:
    """Say whether the only name server is systemd-resolved's stub on loopback.

    The true servers are then in /run/systemd/resolve/resolv.conf.
    """
    return _parse(host_text)[0] == ["127.0.0.53"]


def _own_names(hostname: str, domainname: str) -> str:
    full = f"{hostname}.{domainname}" if domainname else hostname
    first, dot, _ = full.partition(".")
    return f"{full} {first}" if dot and first else full


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    """Return name servers, search domains and options; of two search lines, the last counts."""
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith(_COMMENTS):
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return servers, search, options


def _is_local(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return True


def _is_reachable(server: str) -> bool:
    try:
        address = ip_address(server.partition("%")[0])
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback
