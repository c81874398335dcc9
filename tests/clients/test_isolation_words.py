"""Options that set a container apart: both commands, the same words, the same outcome."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.engine import Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = [requires("docker"), pytest.mark.docker_release("28.2"), pytest.mark.naru_only]

_SHOW = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status"
# What follows `run --rm`; FILES is a directory with a profile and a file in it.
_LINES = f"""
busybox sh -c 'id; ps | grep -c sh; hostname | wc -c'
-h given busybox sh -c 'hostname; cat /etc/hostname; grep -c given /etc/hosts'
-u daemon busybox id
-u 12:34 busybox id -u
-u nobody-here busybox id
-w /made/here busybox pwd
-w relative busybox pwd
--read-only busybox touch /x
--read-only=false busybox touch /x
--read-only --tmpfs /t busybox sh -c 'touch /t/x /dev/null'
--group-add 77 --group-add daemon busybox id -G
--cap-drop ALL --cap-add CAP_CHOWN busybox sh -c "{_SHOW}"
--cap-add net_admin --cap-drop chown busybox sh -c "{_SHOW}"
--cap-add nonsense busybox true
--privileged busybox sh -c "{_SHOW}"
--security-opt no-new-privileges busybox sh -c "{_SHOW}"
--security-opt no-new-privileges=false busybox sh -c "{_SHOW}"
--security-opt seccomp=unconfined busybox sh -c "{_SHOW}"
--security-opt seccomp=builtin busybox sh -c "{_SHOW}"
--security-opt seccomp=FILES/profile.json busybox mkdir /x
--security-opt seccomp=FILES/garbage.json busybox true
--security-opt seccomp=FILES/none.json busybox true
--security-opt systempaths=unconfined busybox sh -c 'head -c1 /proc/timer_list | wc -c'
--security-opt label=disable busybox true
--security-opt apparmor=unconfined busybox true
--security-opt nonsense busybox true
--pid host busybox sh -c 'ls -d /proc/2'
--pid container:nobody busybox true
--pid nonsense busybox true
--ipc host busybox true
--ipc none busybox sh -c 'mount | grep -c shm'
--ipc nonsense busybox true
--uts host busybox true
--uts nonsense busybox true
--uts host -h x busybox true
--userns host busybox true
--userns nonsense busybox true
--cgroupns private busybox sh -c 'grep -vc :/$ /proc/self/cgroup'
--cgroupns nonsense busybox true
--network container:nobody busybox true
--network none busybox sh -c 'ls /sys/class/net'
--device /dev/zero:/dev/z:r busybox sh -c 'head -c1 /dev/z | wc -c; echo 2>&1 > /dev/z'
--device /etc/passwd busybox true
--device /dev/nothing busybox true
--device /dev/zero:/dev/z:q busybox true
--device vendor.com/class=name busybox true
--device-cgroup-rule 'c 1:3 rwm' busybox true
--device-cgroup-rule nonsense busybox true
--gpus all busybox true
--gpus count=x busybox true
--sysctl net.core.somaxconn=99 busybox sysctl net.core.somaxconn
--sysctl kernel.panic=1 busybox true
--sysctl net.ipv4.ip_forward=1 --network host busybox true
--init busybox cat /proc/1/comm
--shm-size 2m busybox sh -c 'df -k /dev/shm | tail -1 | cut -c1-40'
--oom-score-adj 77 busybox cat /proc/self/oom_score_adj
--oom-score-adj 7777 busybox true
--annotation a=b busybox true
--runtime nonsense busybox true
--isolation default busybox true
--isolation hyperv busybox true
-v FILES:/m busybox ls /m
-v FILES:/m:ro busybox touch /m/x
-v FILES:/m:z,ro busybox ls /m
-v FILES/missing:/m busybox ls /m
-v FILES/file:/etc/given:ro busybox cat /etc/given
-v FILES:/m:nonsense busybox true
-v FILES:/m:ro,rw busybox true
-v FILES:/etc/../.. busybox true
-v FILES:/m -v FILES:/m/ busybox true
-v FILES:/proc/sys busybox true
-v /anonymous busybox sh -c 'touch /anonymous/x'
--mount type=bind,src=FILES,dst=/m,readonly busybox touch /m/x
--mount type=bind,src=FILES/absent,dst=/m busybox true
--mount type=bind,src=FILES,dst=/m,bind-propagation=nonsense busybox true
--mount type=bind,src=FILES,dst=/m,bind-recursive=readonly busybox true
--mount type=bind,src=FILES,dst=/m,bind-recursive=disabled busybox ls /m
--mount type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=1770 busybox stat -c %a /m
--mount type=tmpfs,dst=/m,src=x busybox true
--mount type=image,src=busybox,dst=/m busybox sh -c 'ls -d /m/bin/sh; touch /m/x'
--mount type=image,src=busybox,dst=/m,image-subpath=../x busybox true
--mount type=volume,dst=/m,volume-subpath=../x busybox true
--mount type=npipe,src=a,dst=/m busybox true
--mount type=nonsense,dst=/m busybox true
--mount dst=m busybox true
--tmpfs /m:size=1m,mode=700 busybox sh -c 'stat -c %a /m; grep -c size=1024k /proc/mounts'
--tmpfs /m:nonsense busybox true
--volumes-from nobody busybox true
--volumes-from x:nonsense busybox true
"""
_COMMANDS = [shlex.split(line) for line in _LINES.strip().splitlines()]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with a file and with profiles, good and bad."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "file").write_text("given\n")
    rule = '{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }'
    (folder / "profile.json").write_text(
        '{ "defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [' + rule + "] }"
    )
    (folder / "garbage.json").write_text('{"defaultAction": "SCMP_ACT_NONE"}')
    return folder


def _plain(result: Result) -> tuple[int, str, str]:
    error = re.sub(r"(?m)^docker: ", "naru: ", result.err).replace("'docker ", "'naru ")
    error = error.replace("Usage:  docker ", "Usage:  naru ")
    return result.code, result.out, re.sub(r"[0-9a-f]{12,64}", "ID", error)


@pytest.mark.parametrize("start", range(0, len(_COMMANDS), 12))
def test_both_commands_do_the_same(engine: Engine, files: Path, start: int) -> None:
    differences = []
    for line in _COMMANDS[start : start + 12]:
        words = ["run", "--rm", "--pull=never", *(w.replace("FILES", str(files)) for w in line)]
        theirs, ours = _plain(engine.docker(*words)), _plain(engine.naru(*words))
        if theirs != ours:
            differences.append(f"{shlex.join(line)}\n  docker {theirs}\n  naru   {ours}")
    assert not differences, "\n".join(differences)
