"""`info` and `system info`. Spec: docker/cli, command/system/info.go."""

from __future__ import annotations

from naru.cli.about import client_facts
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import parse_answer_template
from naru.client.transport import MAX_API_VERSION
from naru.errors import NaruError
from naru.units import print_bytes_binary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation


def info(invocation: Invocation) -> int:
    """Print what the engine says about itself."""
    form = invocation.options["format"]
    facts, problem = {}, None
    template = parse_answer_template(form) if form not in ("", "json") else None
    try:
        facts = invocation.client.get("/info")
    except NaruError as error:
        problem = error
    context = invocation.root_options["context"] or "default"
    client = client_facts(MAX_API_VERSION, MAX_API_VERSION, context)
    client = {"Debug": invocation.root_options["debug"], **client, "Plugins": [], "Warnings": None}
    if form == "json":
        from naru.client.json_text import dumps

        invocation.print(dumps({**facts, "ClientInfo": client}))
    elif template is not None:
        _print_template(invocation, template, {**facts, "ClientInfo": client}, problem)
    else:
        invocation.stdout.write(page(facts, client))
    if problem is not None:
        raise problem
    for warning in facts.get("Warnings") or () if not form else ():
        invocation.complain(warning)
    return 0


def _print_template(
    invocation: Invocation, template: Any, facts: dict[str, Any], problem: NaruError | None
) -> None:
    from naru.cli.go_fields import as_go
    from naru.cli.template.nodes import TemplateError

    try:
        invocation.print(template.render(as_go(facts)))
    except TemplateError as error:
        if problem is not None:
            # Nothing but the client's half is known: the reason is what matters.
            invocation.print()
            return
        raise CommandFailedError(error.message) from error


def page(facts: dict[str, Any], client: dict[str, Any]) -> str:
    """Lay both halves out; an engine that did not answer has an empty half."""
    lines = [
        f"Client: {client['Platform']['Name']}",
        f" Version:    {client['Version']}",
        f" Context:    {client['Context']}",
        f" Debug Mode: {_go(client['Debug'])}",
        "",
        "Server:",
    ]
    if facts:
        lines += _counts(facts) + _drivers(facts) + _runtimes(facts) + _host(facts)
        lines += [*_registries(facts), ""]
    return "\n".join(lines) + "\n"


def _go(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(facts: dict[str, Any], *names: tuple[str, str]) -> list[str]:
    """Return ` Title: value` of what is not empty."""
    return [f" {title}: {_go(facts[key])}" for title, key in names if facts.get(key)]


def _counts(facts: dict[str, Any]) -> list[str]:
    return [
        f" Containers: {facts['Containers']}",
        f"  Running: {facts['ContainersRunning']}",
        f"  Paused: {facts['ContainersPaused']}",
        f"  Stopped: {facts['ContainersStopped']}",
        f" Images: {facts['Images']}",
        *_named(facts, ("Server Version", "ServerVersion"), ("Storage Driver", "Driver")),
        *(f"  {name}: {value}" for name, value in facts.get("DriverStatus") or ()),
    ]


def _drivers(facts: dict[str, Any]) -> list[str]:
    plugins = facts.get("Plugins") or {}
    lines = _named(
        facts,
        ("Logging Driver", "LoggingDriver"),
        ("Cgroup Driver", "CgroupDriver"),
        ("Cgroup Version", "CgroupVersion"),
    )
    lines += [
        " Plugins:",
        f"  Volume: {' '.join(plugins.get('Volume') or ())}",
        f"  Network: {' '.join(plugins.get('Network') or ())}",
    ]
    if plugins.get("Authorization"):
        lines.append(f"  Authorization: {' '.join(plugins['Authorization'])}")
    lines.append(f"  Log: {' '.join(plugins.get('Log') or ())}")
    if facts.get("CDISpecDirs"):
        lines += [" CDI spec directories:", *(f"  {path}" for path in facts["CDISpecDirs"])]
    if devices := facts.get("DiscoveredDevices"):
        found = (f"  {device['Source']}: {device['ID']}" for device in devices)
        lines += [" Discovered Devices:", *found]
    swarm = facts.get("Swarm") or {}
    return [*lines, f" Swarm: {swarm.get('LocalNodeState') or 'inactive'}"]


def _runtimes(facts: dict[str, Any]) -> list[str]:
    lines = []
    if facts.get("Runtimes"):
        lines += [
            f" Runtimes: {' '.join(sorted(facts['Runtimes']))}",
            f" Default Runtime: {facts.get('DefaultRuntime', '')}",
        ]
    if facts.get("OSType") != "linux":
        return lines
    lines.append(f" Init Binary: {facts.get('InitBinary', '')}")
    for title, key in (
        ("containerd", "ContainerdCommit"),
        ("runc", "RuncCommit"),
        ("init", "InitCommit"),
    ):
        lines.append(f" {title} version: {(facts.get(key) or {}).get('ID', '')}")
    if facts.get("SecurityOptions"):
        lines.append(" Security Options:")
        for text in facts["SecurityOptions"]:
            lines += _security_option(text)
    return lines


def _security_option(text: str) -> list[str]:
    """Lay `name=seccomp,profile=builtin` out; old engines send the name alone."""
    name, pairs = text, []
    if "=" in text:
        for item in text.split(","):
            key, _, value = item.partition("=")
            if key == "name":
                name = value
            else:
                pairs.append(f"   {'Profile' if key == 'profile' else key}: {value}")
    return [f"  {name}", *pairs]


def _host(facts: dict[str, Any]) -> list[str]:
    lines = _named(
        facts,
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
    )
    lines += [
        f" CPUs: {facts['NCPU']}",
        f" Total Memory: {print_bytes_binary(facts['MemTotal'])}",
        *_named(facts, ("Name", "Name"), ("ID", "ID")),
        f" Docker Root Dir: {facts.get('DockerRootDir', '')}",
        f" Debug Mode: {_go(facts.get('Debug', False))}",
    ]
    if facts.get("Debug"):
        lines += [
            f"  File Descriptors: {facts.get('NFd', 0)}",
            f"  Goroutines: {facts.get('NGoroutines', 0)}",
            f"  System Time: {facts.get('SystemTime', '')}",
            f"  EventsListeners: {facts.get('NEventsListener', 0)}",
        ]
    lines += _named(
        facts, ("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")
    )
    if facts.get("Labels"):
        lines += [" Labels:", *(f"  {label}" for label in facts["Labels"])]
    return [*lines, f" Experimental: {_go(facts.get('ExperimentalBuild', False))}"]


def _registries(facts: dict[str, Any]) -> list[str]:
    registry = facts.get("RegistryConfig") or {}
    networks, hosts = registry.get("InsecureRegistryCIDRs"), registry.get("IndexConfigs") or {}
    lines = []
    if networks or hosts:
        lines.append(" Insecure Registries:")
        lines += [f"  {hosts[name]['Name']}" for name in sorted(hosts) if not hosts[name]["Secure"]]
        lines += [f"  {network}" for network in networks or ()]
    if registry.get("Mirrors"):
        lines += [" Registry Mirrors:", *(f"  {mirror}" for mirror in registry["Mirrors"])]
    lines.append(f" Live Restore Enabled: {_go(facts.get('LiveRestoreEnabled', False))}")
    lines += _named(facts, ("Product License", "ProductLicense"))
    if facts.get("DefaultAddressPools"):
        lines.append(" Default Address Pools:")
        lines += [
            f"   Base: {pool['Base']}, Size: {pool['Size']}"
            for pool in facts["DefaultAddressPools"]
        ]
    return lines
