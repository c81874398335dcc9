"""A volume plugin as a process of its own: folders below a directory, mounted where they are used.

    python volume_plugin.py ROOT SOCKET

It keeps what it knows in `ROOT/state.json`, counts the users of each volume by their ids, mounts
the folder of a volume for the first and unmounts it for the last. A test spoils it by writing a
method's name and a word to `ROOT/spoil`: `refuse`, `garbage`, `hang` or `status`. What it was asked
stands in `ROOT/calls`, one JSON object on a line.
"""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Plugin:
    """The volumes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.Lock()
        self._state = root / "state.json"
        self.volumes: dict[str, Json] = (
            json.loads(self._state.read_text()) if self._state.exists() else {}
        )

    def answer(self, method: str, body: Json) -> Json:
        """Do what is asked."""
        with self.lock, (self.root / "calls").open("a") as calls:
            print(json.dumps({"method": method, **body}), file=calls, flush=True)
        match self._spoilt(method):
            case "refuse":
                return {"Err": "the disk is on fire"}
            case "hang":
                time.sleep(3600)
        with self.lock:
            answer = self._do(method.removeprefix("VolumeDriver."), body)
            fresh = self._state.with_suffix(".new")
            fresh.write_text(json.dumps(self.volumes))
            fresh.replace(self._state)
        return answer

    def _spoilt(self, method: str) -> str:
        words = (self.root / "spoil").read_text().split() if (self.root / "spoil").exists() else []
        return words[1] if words and method.endswith(words[0]) else ""

    def is_spoilt(self, method: str, how: str) -> bool:
        """Say whether a method is to be answered so."""
        return self._spoilt(method) == how

    def _do(self, method: str, body: Json) -> Json:
        name = body.get("Name", "")
        volume = self.volumes.get(name)
        match method:
            case "Plugin.Activate":
                return {"Implements": ["VolumeDriver"]}
            case "Capabilities":
                return {"Capabilities": {"Scope": "global"}}
            case "List":
                return {"Volumes": [self._view(one) for one in self.volumes]}
            case "Create":
                if "bad" in (body.get("Opts") or {}):
                    return {"Err": "there is no option bad"}
                (self.root / "content" / name).mkdir(parents=True, exist_ok=True)
                self.volumes.setdefault(name, {"users": []})
                return {"Err": ""}
        if volume is None:
            return {"Err": f"no volume {name}"}
        match method:
            case "Get":
                return {"Volume": {**self._view(name), "Status": {"users": len(volume["users"])}}}
            case "Path":
                return {"Mountpoint": str(self._place(name)) if volume["users"] else ""}
            case "Remove":
                if volume["users"]:
                    return {"Err": "it is mounted"}
                subprocess.run(["rm", "-rf", self.root / "content" / name], check=True)
                del self.volumes[name]
                return {"Err": ""}
            case "Mount":
                if not volume["users"]:
                    self._place(name).mkdir(parents=True, exist_ok=True)
                    source = self.root / "content" / name
                    subprocess.run(["mount", "--bind", source, self._place(name)], check=True)
                volume["users"].append(body["ID"])
                return {"Mountpoint": str(self._place(name)), "Err": ""}
            case "Unmount":
                if body["ID"] not in volume["users"]:
                    return {"Err": f"{body['ID']} has not mounted it"}
                volume["users"].remove(body["ID"])
                if not volume["users"]:
                    subprocess.run(["umount", self._place(name)], check=True)
                return {"Err": ""}
        return {"Err": f"no method {method}"}

    def _place(self, name: str) -> Path:
        return self.root / "mounted" / name

    def _view(self, name: str) -> Json:
        users = self.volumes[name]["users"]
        return {"Name": name, "Mountpoint": str(self._place(name)) if users else ""}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    plugin: Plugin

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        method = self.path.lstrip("/")
        answer = json.dumps(self.plugin.answer(method, body)).encode()
        if self.plugin.is_spoilt(method, "garbage"):
            answer = b"<html>no</html>"
        self.send_response(500 if self.plugin.is_spoilt(method, "status") else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "engine"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server of several requests at a time."""

    daemon_threads = True


def main() -> None:
    """Serve until killed."""
    root, socket_path = Path(sys.argv[1]), sys.argv[2]
    root.mkdir(parents=True, exist_ok=True)
    Handler.plugin = Plugin(root)
    if os.path.exists(socket_path):
        os.unlink(socket_path)
    with Server(socket_path, Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
