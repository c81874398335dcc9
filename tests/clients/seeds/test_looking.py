"""`ps`, `stats`, `top`, `inspect`, `prune`: what there is, and what can go."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pexpect
import pytest

from harness.clients import Client, ended
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")


@pytest.mark.seed("S047")
def test_ps_lists_what_is_asked_for(client: Client) -> None:
    label = ("--label", "seeds=ps")
    script = "echo 12345 > /written; exec sleep 1000"
    only = ("--filter", "label=seeds=ps")
    ids = [
        client.say("create", "--name", "seeds-old", *label, "busybox", "true"),
        client.up(
            "--name", "seeds-mid", *label, "-p", "127.0.0.1::80", "busybox", "sh", "-c", script
        ),
        client.say("create", "--name", "seeds-new", *label, "busybox", "sh", "-c", "x" * 40),
    ]
    table = client.say("ps", "-a", *only).splitlines()
    titles = "CONTAINER ID   IMAGE     COMMAND                  CREATED"
    assert table[0].startswith(titles)
    assert table[0].split()[-3:] == ["STATUS", "PORTS", "NAMES"]
    assert [row.split()[-1] for row in table[1:]] == ["seeds-new", "seeds-mid", "seeds-old"]
    assert table[1].startswith(f'{ids[2][:12]}   busybox   "sh -c xxxxxxxxxxxxx…"   ')
    assert re.search(r"   Up .*   127\.0\.0\.1:\d+->80/tcp   seeds-mid$", table[2])
    names = ("--format", "{{.Names}}")
    assert client.say("container", "ls", *only, *names) == "seeds-mid"
    assert client.say("ps", "-a", "-n", "2", *names).splitlines() == ["seeds-new", "seeds-mid"]
    assert client.say("ps", "-l", *names) == "seeds-new"
    assert client.say("ps", "-aq", *only).splitlines() == [each[:12] for each in reversed(ids)]
    assert client.say("ps", "-aq", "--no-trunc", *only).splitlines() == ids[::-1]
    assert "x" * 40 in client.say("ps", "-a", "--no-trunc", *only)
    assert client.say("ps", "-a", *only, "-f", "status=created", "-f", "name=old", *names) == (
        "seeds-old"
    )
    eventually(lambda: client.say("diff", "seeds-mid") == "A /written", "it has written")
    sized = client.say("ps", "-s", *only).splitlines()
    assert sized[0].split()[-1] == "SIZE"
    assert re.search(r"seeds-mid   6B \(virtual [\d.]+MB\)$", sized[1])
    document = json.loads(client.say("ps", "-f", "name=seeds-mid", "--format", "{{json .}}"))
    assert (document["ID"], document["State"]) == (ids[1][:12], "running")


@pytest.mark.seed("S048")
def test_stats_shows_one_sample_or_goes_on(client: Client) -> None:
    script = "while :; do :; done"
    container = client.up(
        "--name", "seeds-stats", "-m", "64m", "--cpus=.2", "busybox", "sh", "-c", script
    )
    titles, row = client.say("container", "stats", "--no-stream", container[:8]).splitlines()
    assert titles.split() == (
        "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS".split()
    )
    pattern = (
        rf"{container[:12]} +seeds-stats +[\d.]+% +[\d.]+[KM]iB / 64MiB +[\d.]+% "
        r"+[\d.]+k?B / [\d.]+k?B +[\d.]+[kM]?B / [\d.]+[kM]?B +1 *"
    )
    assert re.fullmatch(pattern, row)
    # It takes two samples: what ran between them is told.
    assert float(row.split()[2].removesuffix("%")) > 0
    screen = client.terminal("stats", "--format", "{{.Name}} {{.PIDs}}", "seeds-stats")
    for _ in range(2):
        screen.expect("seeds-stats 1")
    # Docker's own command may want to be told three times, then it speaks of force.
    patience = 1 if client.program == "docker" else 20
    for _ in range(3):
        screen.sendintr()
        if screen.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=patience) == 0:
            break
        assert client.program == "docker"
    assert ended(screen)[1] == 128 + signal.SIGINT or client.program == "docker"


@pytest.mark.seed("S052")
@pytest.mark.naru_only
def test_top_shows_the_processes_as_the_host_has_them(client: Client) -> None:
    container = client.up("-u", "12", "busybox", "sh", "-c", "sleep 8001 & exec sleep 8002")

    def rows(*words: str) -> list[str]:
        titles, *found = client.say("container", "top", container, *words).splitlines()
        assert len(found) == 2, titles
        # Both have become what they are to be.
        assert not [row for row in found if "8001 &" in row], found
        return [titles, *found]

    titles, *found = eventually(rows, "both run")
    assert titles.split() == "UID PID PPID C STIME TTY TIME CMD".split()
    pids = [row.split()[1] for row in found]
    assert client.show("{{.State.Pid}}", container) in pids
    words = ["ps", "-o", "pid=,uid=,args=", "-p", ",".join(pids)]
    there = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sorted(line.split() for line in there) == sorted(
        [pid, "12", *row.split()[-2:]] for pid, row in zip(pids, found, strict=True)
    )
    chosen = rows("-o", "pid,comm")
    assert chosen[0].split() == ["PID", "COMMAND"]
    assert {row.split()[1] for row in chosen[1:]} == {"sleep"}
    client("kill", container).ok()
    client("wait", container).ok()
    refused = client("top", container)
    assert refused.code == 1
    assert f"container {container} is not running" in refused.err.lower()


# What the schema asks for, and since or until which version.
_KEYS = {
    "": "AppArmorProfile Args Config Created Driver ExecIDs HostConfig HostnamePath HostsPath Id "
    "Image LogPath MountLabel Mounts Name NetworkSettings Path Platform ProcessLabel ResolvConfPath "
    "RestartCount State",
    "State": "Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt "
    "FinishedAt",
    "Config": "Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin "
    "StdinOnce Env Cmd Image WorkingDir Entrypoint Labels",
    "NetworkSettings": "SandboxID SandboxKey Ports Networks",
    "HostConfig": "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove "
    "VolumeDriver VolumesFrom CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts "
    "GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs "
    "SecurityOpt UTSMode UsernsMode ShmSize Runtime Isolation CpuShares Memory NanoCpus CgroupParent "
    "BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps "
    "BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus "
    "CpusetMems Devices DeviceCgroupRules DeviceRequests MemoryReservation MemorySwap "
    "MemorySwappiness OomKillDisable PidsLimit Ulimits MaskedPaths ReadonlyPaths",
}


@pytest.mark.seed("S057")
def test_inspect_has_every_field_of_every_version(client: Client) -> None:
    container = client.up("busybox", "sleep", "1000")
    newest = client.engine.api("GET", "/_ping").headers["api-version"]
    tried = 0
    for minor in range(41, min(50, int(newest.partition(".")[2])) + 1):
        version = f"1.{minor}"
        words = ("container", "inspect", container)
        [told] = json.loads(client.say(*words, env={"DOCKER_API_VERSION": version}))
        for part, keys in _KEYS.items():
            missing = set(keys.split()) - set(told[part] if part else told)
            assert not missing, f"{version} {part}: {missing}"
        assert ("ImageManifestDescriptor" in told) <= (minor >= 48)
        tried += 1
    assert tried
    sized = json.loads(client.say("inspect", "-s", container))[0]
    assert {"SizeRw", "SizeRootFs"} <= set(sized)


@pytest.mark.seed("S058")
@pytest.mark.naru_only
def test_prune_asks_removes_the_stopped_and_counts(client: Client) -> None:
    script = "head -c 5000 /dev/zero > /big"
    for name in ("seeds-a", "seeds-b"):
        client("run", "--name", name, "--label", f"seeds={name}", "busybox", "sh", "-c", script)
    running = client.up("busybox", "sleep", "1000")
    asked = client("container", "prune", stdin="n\n").ok()
    assert asked.out.startswith("WARNING! This will remove all stopped containers.\n")
    assert "Are you sure you want to continue? [y/N] " in asked.out
    assert len(client.say("ps", "-aq").splitlines()) == 3
    kept = client.say("container", "prune", "-f", "--filter", "until=1h")
    assert kept == "Total reclaimed space: 0B"
    first = client.show("{{.Id}}", "seeds-a")
    pruned = client.say("container", "prune", "--force", "--filter", "label=seeds=seeds-a")
    assert pruned == f"Deleted Containers:\n{first}\n\nTotal reclaimed space: 5kB"
    agreed = client("container", "prune", stdin="y\n").ok()
    assert agreed.out.endswith("Total reclaimed space: 5kB\n")
    assert client.say("ps", "-aq", "--no-trunc") == running
