# shellcheck shell=sh
# What the scripts share: packages of the distribution, programs, the Python environment.
#
# Everything here may be repeated: what is there already costs a look, no more.

ROOT=$(cd "$(dirname "$0")/.." && pwd)
VENV=$ROOT/.venv
TOOLS=$ROOT/build/tools
PATH=$TOOLS:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# What the engine runs on.
# shellcheck disable=SC2034 # used by those who read this file
ENGINE_PACKAGES="ca-certificates conmon crun iproute2 libnftables1 nftables procps tini"
# What its Python environment is made with.
PYTHON_PACKAGES="python3 python3-venv"

say() {
    if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "needs root: it installs packages and runs containers"
}

# Run a command silently; show what it said only when it failed.
quietly() {
    quiet_log=$(mktemp)
    if "$@" >"$quiet_log" 2>&1 </dev/null; then
        rm -f "$quiet_log"
    else
        cat "$quiet_log" >&2
        rm -f "$quiet_log"
        return 1
    fi
}

apt() {
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# Package lists are fetched once, and only when something is missing.
apt_update() {
    if [ -z "${apt_is_fresh:-}" ]; then
        say "fetching package lists"
        apt update || die "apt-get update failed"
        apt_is_fresh=yes
    fi
}

have_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit 2>/dev/null)" ]
}

# apt_install PACKAGE...: install what is missing. No service of a package is started here:
# nothing that this project installs brings one.
apt_install() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "please install:$missing"
    have_lists || apt_update
    say "installing$missing"
    # shellcheck disable=SC2086 # a list of words
    apt install --no-install-recommends $missing && return 0
    apt_update
    # shellcheck disable=SC2086
    apt install --no-install-recommends $missing || die "could not install$missing"
}

# fetch_program PROGRAM PACKAGE...: make a program available without installing its package,
# whose services would start. The first package that has it is taken.
fetch_program() {
    program=$1
    shift
    command -v "$program" >/dev/null && return 0
    have_lists || apt_update
    for package in "$@"; do
        say "fetching $program from $package"
        folder=$(mktemp -d)
        chmod 755 "$folder"
        if (cd "$folder" && quietly apt-get -o Acquire::Retries=3 download "$package") 2>/dev/null; then
            dpkg-deb --extract "$folder"/*.deb "$folder/tree"
            for place in usr/bin usr/sbin; do
                file=$folder/tree/$place/$program
                # A link may lead to another package's program, which must be installed here.
                if [ -L "$file" ] && [ ! -e "$file" ]; then
                    file=$(command -v "$(basename "$(readlink "$file")")") || continue
                fi
                if [ -f "$file" ]; then
                    mkdir -p "$TOOLS"
                    install -m 755 "$file" "$TOOLS/$program"
                fi
            done
        fi
        rm -rf "$folder"
        [ -x "$TOOLS/$program" ] && return 0
    done
    die "no package has $program: tried $*"
}

# Print the mirror that apt uses for a suite, if it has a plain address.
mirror_of() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" \
        'Component: main' 2>/dev/null | grep -m1 '^https\?://' || true
}

# debian_tree FILE OPTION...: write a tree of Debian's packages as a tar; mmdebstrap's options
# say which.
debian_tree() {
    tree_file=$1
    shift
    if [ "$(. /etc/os-release && echo "$ID")" = debian ]; then
        suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
        # shellcheck disable=SC2046 # none or one word
        quietly mmdebstrap --format=tar "$@" "$suite" "$tree_file" $(mirror_of "$suite")
    else
        apt_install debian-archive-keyring
        quietly mmdebstrap --format=tar "$@" \
            --keyring=/usr/share/keyrings/debian-archive-keyring.gpg bookworm "$tree_file"
    fi
}

is_good_python() {
    "$1" -c 'import ensurepip, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))' \
        >/dev/null 2>&1
}

# Print the first Python that will do. The distribution's own comes first: it stays.
find_python() {
    for candidate in "${NARU_PYTHON:-}" /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && is_good_python "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check --no-input -q "$@"
}

environment_mark() {
    cat "$ROOT/requirements/$1.lock" "$ROOT/pyproject.toml" | sha256sum | cut -d' ' -f1
}

is_current() {
    [ -x "$VENV/bin/python" ] && [ "$(cat "$VENV/.naru-$1" 2>/dev/null)" = "$(environment_mark "$1")" ]
}

# python_environment LOCK: make .venv hold what requirements/LOCK.lock says, and Naru itself.
python_environment() {
    is_current "$1" && return 0
    if [ "$1" = engine ] && is_current test; then return 0; fi
    # shellcheck disable=SC2086 # a list of words
    [ -n "${NARU_PYTHON:-}" ] || apt_install $PYTHON_PACKAGES
    if ! is_good_python "$VENV/bin/python"; then
        python=$(find_python) || die "needs Python 3.11 or newer with venv"
        say "making a Python environment with $python"
        rm -rf "$VENV"
        quietly "$python" -m venv "$VENV" || die "could not make $VENV"
    fi
    say "installing Python packages ($1)"
    for attempt in 1 2 3; do
        quietly pip install --require-hashes --no-deps -r "$ROOT/requirements/$1.lock" && break
        [ "$attempt" = 3 ] && die "could not install Python packages"
        sleep 5
    done
    quietly pip install --no-deps --no-build-isolation -e "$ROOT" || die "could not install Naru"
    # Some machines forbid Python to write its caches, and an uncached start is a slow one.
    "$VENV/bin/python" -m compileall -q "$ROOT/src"
    environment_mark "$1" >"$VENV/.naru-$1"
}
