"""`naru` and Docker's own command say the same to the same engine, to the byte."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from harness.archives import busybox_layer, docker_archive
from harness.engine import Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = [requires("docker"), pytest.mark.docker_release("28.2")]

_LINES = """
ps -f label=equality=yes
ps -f label=equality=yes -a
ps -f label=equality=yes -aq
ps -f label=equality=yes -a --no-trunc
ps -f label=equality=yes -n 1
ps -f label=equality=yes -l -q
ps -f label=equality=yes -a -f name=equality-1
ps -a -f label=equality=yes --format json
ps -f label=equality=yes -a --format '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Status}} {{.Ports}}'
ps -f label=equality=yes -a --format 'table {{.ID}}\\t{{upper .Names}}\\t{{.Label "equality"}}'
ps -f label=equality=yes -a --format raw
ps -a --format '{{.Foo}}'
ps -a --format '{{.Foo'
ps -f bogus=1
images
images -q --no-trunc
images --digests
images --format json
images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
images nosuch
inspect equality-1
inspect equality-1 -f json
inspect -f '{{.Name}} {{.State.Status}} {{json .Config.Cmd}}' equality-1 nosuch
inspect -f '{{range .Config.Env}}{{println .}}{{end}}' equality-1
inspect -f '{{.Nope}}' equality-1
inspect -f '{{. Nope}}' equality-1
inspect nosuch
inspect busybox
image inspect -f '{{.Os}}/{{.Architecture}} {{.RootFS.Type}}' busybox
container inspect nosuch
network ls
network ls --no-trunc --format json
network inspect none
network ls -q -f driver=bridge
network ls -f type=builtin --format '{{.Name}} {{.Driver}} {{.Scope}} {{.IPv4}} {{.IPv6}} {{.Internal}}'
network ls -f type=x
network ls -f bogus=x
network ls -f dangling=true
network inspect nosuch
network rm nosuch bridge
network rm -f nosuch
network rm
network create
network create bridge
network create --subnet 10.0.0.0/33 x
network create --subnet 10.0.0.5/24 x
network create --gateway 10.0.0.1 x
network create --subnet 10.9.0.0/24 --subnet 10.9.0.0/25 x
network create --subnet 10.9.0.0/24 --ip-range 10.8.0.0/24 x
network create --subnet 10.9.0.0/24 --aux-address a x
network create --ipv4=false x
network create -d nosuch x
network create -d overlay x
network create --ingress x
network create --scope swarm x
network create -o com.docker.network.driver.mtu=x x
network create --config-only --internal x
network create --config-from nosuch x
network create --config-from nosuch -o a=b x
network create --label =a x
network create --label 'a b=c' x
network connect --link a:b:c bridge equality-2
network connect a
network connect nosuch equality-2
network connect none equality-2
network connect host equality-2
network connect bridge equality-2
network connect --alias a bridge equality-2
network connect --ip 10.0.0.9 bridge equality-2
network connect --driver-opt x bridge equality-2
network connect bridge nosuch
network disconnect nosuch equality-2
network disconnect none equality-2
network disconnect bridge nosuch
network disconnect -f bridge nosuch
network prune -f --filter until=x
network prune -f --filter bogus=x
network prune
run --rm --network nosuch busybox true
run --rm --network none --network bridge busybox true
run --rm --network name=nosuch,alias=x busybox true
run --rm --network name=bridge,alias=x busybox true
run --rm --network name=bridge,ip=10.1.1.1 busybox true
run --rm --network alias=x busybox true
run --rm --network name=x,bogus=1 busybox true
run --rm --ip 10.0.0.1 busybox true
run --rm --network-alias x busybox true
run --rm --link nosuch busybox true
run --rm --mac-address zz busybox true
create --network container:nosuch busybox
volume ls
volume inspect nosuch
volume create --label =a
history busybox
images -aq --no-trunc
images 'busy*'
images 'naru-test/*:latest'
images -f dangling=false -q
images -f dangling=x
images -f dangling=true -f label=k
images -f before=busybox
images -f since=nosuch
images -f until=1h --format '{{.Repository}}'
images -f until=x
images -f bogus=x
images -f bogus
images -f reference='['
images -f reference=busybox -f reference=nosuch naru-test/box
images --format table
images --format raw
images --format 'table {{.ID}}\\t{{.Repository}}\\t{{.Tag}}\\t{{.Digest}}\\t{{.CreatedSince}}\\t{{.CreatedAt}}\\t{{.Size}}'
images --format '{{.Containers}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}'
images --format '{{.Foo}}'
images --format '{{'
images a b
images --tree
images --tree -a busybox
images --tree -q
images --tree --digests
image inspect
image inspect -f '{{ .Os}}' busybox nosuch
image inspect --format '{{.Config.Labels}} {{json .RootFS}} {{json .Descriptor}} {{len .Manifests}}' busybox
image inspect --format '{{.Descriptor.Digest}} {{.Descriptor.MediaType}} {{.Descriptor.Size}}' busybox
image inspect --platform linux/s390x busybox
image inspect --platform x/y/z/a busybox
image inspect ''
image inspect UPPER
history -q --no-trunc busybox
history -H=false busybox
history --human=0 --no-trunc busybox
history --format '{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.Comment}}' busybox
history --format json busybox
history --format 'table {{.ID}}\\t{{.Size}}' busybox
history --format '{{.Foo}}' busybox
history --platform linux/s390x busybox
history --platform x/y/z/a busybox
history nosuch
history
tag busybox
tag busybox x@sha256:0000000000000000000000000000000000000000000000000000000000000000
tag busybox sha256
tag busybox ''
tag '' x
rmi
rmi ''
rmi ' '
rmi UP nosuch
rmi -f nosuch UP
rmi --platform linux/amd64 nosuch
rmi --platform a/b/c/d nosuch
rmi equality
image rm equality nosuch
image prune -f --filter until=x
image prune -f --filter until=1h --filter until=2h
image prune -f --filter reference='['
image prune -f --filter keep=1
image prune -f --filter label
diff equality-1
diff nosuch
diff ''
export nosuch
export -o /nonexistent/x equality-1
export -o / equality-1
export -o /dev/null equality-1
export ''
commit nosuch
commit equality-1 UP
commit equality-1 x@sha256:0000000000000000000000000000000000000000000000000000000000000000
commit -c 'RUN x' equality-1
commit ''
stop nosuch
kill equality-1
kill -s BOGUS equality-2
pause nosuch
unpause equality-2
restart nosuch
rename nosuch x
wait nosuch
top nosuch
stats --no-stream nosuch
stats --no-stream nosuch nowhere
stats --no-stream equality-1
stats --no-stream --no-trunc --format json equality-1
stats --no-stream --format '{{.Container}} {{.Name}} {{.ID}} {{.PIDs}} {{.CPUPerc}}' equality-2
stats --no-stream --format 'table {{.Name}}\\t{{.PIDs}}' equality-2
stats --no-stream --format '{{.Nope}}' equality-2
update
update equality-1
update -m 1 equality-1 nosuch
update -m -5 equality-1
update --restart bogus equality-1
update --restart on-failure:x equality-1
update --cpu-shares 512 equality-1 equality-2
update --blkio-weight 300 equality-1 equality-2
rm equality-2
rm -f nosuch
image prune
image prune -a
image prune -f
image prune -f --filter until=1h --filter label=x
image prune -f --filter foo=bar
image prune -f --filter dangling=true --filter dangling=false
image prune x
save nosuch
save nosuch:1
save busybox X
save -o /nonexistent/x busybox
save -o / busybox
save -o /dev/null busybox
save --platform linux/s390x busybox
save --platform a/b/c/d busybox
rmi nosuch
rmi -f nosuch
tag nosuch x
tag busybox X
pull A
pull -a a:b
load -i /nope
import /nope
events --since x
info -f '{{.ServerVersion}} {{.Driver}} {{.OSType}}'
version -f '{{.Server.Version}}'
cp equality-1:/nope /tmp
cp equality-1:/etc/passwd/ /tmp
cp nosuch:/x /tmp
cp /tmp/nope equality-1:/tmp
cp equality-1:/etc/passwd /none/x
cp equality-1:/etc/passwd /dev/null
cp a b
ps extra
ps --bogus
rm
"""
_COMMANDS = [shlex.split(line) for line in _LINES.strip().splitlines()]


@pytest.fixture
def furnished(engine: Engine) -> Iterator[Engine]:
    """Give an engine with a container that was created and one that runs.

    The image of that one has no other name, so that no command can remove it.
    """
    engine.load(docker_archive(["equality:latest"], [busybox_layer()], {"Cmd": ["true"]}))
    label = ("--label", "equality=yes")
    long = ["sh", "-c", "echo a very long command line"]
    engine.docker("create", "--name", "equality-1", *label, "busybox", *long).ok()
    engine.docker("run", "-d", "--name", "equality-2", *label, "equality", "sleep", "600").ok()
    yield engine
    engine.docker("rm", "-f", "equality-1", "equality-2")
    engine.docker("rmi", "equality").ok()


def _as_naru(text: str) -> str:
    text = re.sub(r"(?m)^docker: ", "naru: ", text)
    text = re.sub(r"'docker( |')", r"'naru\1", text)
    # A slip of docker's in one of its own texts.
    return text.replace("Usage:  docker", "Usage:  naru").replace("SRun '", "Run '")


def _visible(words: list[str], result: Result) -> tuple[int, object, str]:
    text = _as_naru(result.out)
    # Docker's engine lists images of the same second in any order.
    out: object = sorted(text.splitlines()) if words[0] == "images" else text
    return result.code, out, _as_naru(result.err)


def _difference(engine: Engine, words: list[str]) -> str:
    """Compare; times may move on between the two, so that a difference must show three times."""
    found = ""
    for _ in range(3):
        theirs, ours = engine.docker(*words), engine.naru(*words)
        if _visible(words, theirs) == _visible(words, ours):
            return ""
        found = f"{ours}\n=== docker said\n{theirs}"
    return found


@pytest.mark.seed("S047")
def test_both_say_the_same(furnished: Engine) -> None:
    differing = list(filter(None, (_difference(furnished, words) for words in _COMMANDS)))
    assert not differing, "\n\n".join(differing)
