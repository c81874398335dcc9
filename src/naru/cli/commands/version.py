"""`version`, and what `naru --version` prints."""

from __future__ import annotations

from naru.cli.about import client_facts, client_version
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import parse_answer_template
from naru.cli.table import align
from naru.client.transport import MAX_API_VERSION, version_key
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation


def client_line() -> str:
    """Return the line of `naru --version`."""
    return f"Naru version {client_version()}"


def version(invocation: Invocation) -> int:
    """Print the versions of the command and of the engine."""
    form = invocation.options["format"]
    template = parse_answer_template(form, "version") if form not in ("", "json") else None
    server, problem = None, None
    try:
        server = invocation.client.get("/version")
        api_version = invocation.client.api_version
    except NaruError as error:
        problem, api_version = error, MAX_API_VERSION
    context = invocation.root_options["context"] or "default"
    client = client_facts(api_version, MAX_API_VERSION, context)
    if server is not None:
        _complete(server)
    both = {"Client": client, "Server": server}
    if form == "json":
        from naru.client.json_text import dumps

        invocation.print(dumps(both))
    elif template is not None:
        from naru.cli.go_fields import as_go
        from naru.cli.template.nodes import TemplateError

        try:
            go_value = as_go(both)
            go_value["Server"] = go_value["Server"] if server is not None else None
            invocation.print(template.render(go_value))
        except TemplateError as error:
            raise CommandFailedError(error.message) from error
    else:
        invocation.stdout.write(page(client, server))
    if problem is not None:
        raise problem
    return 0


def _complete(server: dict[str, Any]) -> None:
    """Give an old engine's answer the components of a new one, and dates the way people read."""
    details = {
        "ApiVersion": server.get("ApiVersion", ""),
        "Arch": server.get("Arch", ""),
        "BuildTime": server.get("BuildTime", ""),
        "Experimental": "true" if server.get("Experimental") else "false",
        "GitCommit": server.get("GitCommit", ""),
        "GoVersion": server.get("GoVersion", ""),
        "KernelVersion": server.get("KernelVersion", ""),
        "MinAPIVersion": server.get("MinAPIVersion", ""),
        "Os": server.get("Os", ""),
    }
    server.setdefault(
        "Components",
        [{"Name": "Engine", "Version": server.get("Version", ""), "Details": details}],
    )
    for component in server["Components"]:
        facts = component.get("Details") or {}
        if facts.get("BuildTime"):
            facts["BuildTime"] = readable_date(facts["BuildTime"])


def readable_date(text: str) -> str:
    """Print an RFC 3339 time as `Thu May  7 21:09:36 2026`; anything else stays."""
    from naru.errors import InvalidInputError
    from naru.units import parse_time

    try:
        seconds = parse_time(text, now_ns=0) // 10**9
    except InvalidInputError:
        return text
    import time

    return time.asctime(time.gmtime(seconds))


def page(client: dict[str, Any], server: dict[str, Any] | None) -> str:
    """Lay the versions out as docker does."""
    api = client["ApiVersion"]
    if version_key(api) < version_key(client["DefaultAPIVersion"]):
        api = f"{api} (downgraded from {client['DefaultAPIVersion']})"
    lines = [
        f"Client: {client['Platform']['Name']}",
        f" Version:\t{client['Version']}",
        f" API version:\t{api}",
        f" Python version:\t{client['PythonVersion']}",
        f" OS/Arch:\t{client['Os']}/{client['Arch']}",
        f" Context:\t{client['Context']}",
    ]
    if server is not None:
        platform = (server.get("Platform") or {}).get("Name", "")
        lines += ["", f"Server: {platform}" if platform else "Server:"]
        for component in server["Components"]:
            lines += _component(component)
    return align("\n".join(lines), min_width=20, padding=1) + "\n"


def _component(component: dict[str, Any]) -> list[str]:
    details = component.get("Details") or {}
    lines = [f" {component['Name']}:", f"  Version:\t{component['Version']}"]
    if component["Name"] != "Engine":
        return lines + [f"  {key}:\t{details[key]}" for key in sorted(details)]
    lines.append(
        f"  API version:\t{details.get('ApiVersion', '')} "
        f"(minimum version {details.get('MinAPIVersion', '')})"
    )
    lines += [
        f"  {key.removesuffix('Version')} version:\t{details[key]}"
        for key in ("GoVersion", "PythonVersion")
        if details.get(key)
    ]
    return [
        *lines,
        f"  Git commit:\t{details.get('GitCommit', '')}",
        f"  Built:\t{details.get('BuildTime', '')}",
        f"  OS/Arch:\t{details.get('Os', '')}/{details.get('Arch', '')}",
        f"  Experimental:\t{details.get('Experimental', '')}",
    ]
