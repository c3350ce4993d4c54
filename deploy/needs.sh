#!/usr/bin/env bash
# Installs the Debian packages that the named groups need and that are missing; does nothing, and
# asks for no rights, when all are there. Groups: build, data, tests, bench. The group tests also
# gets the Python programs of requirements.txt, in a virtual environment below the target folder.
set -euo pipefail

# group | package | a file or program that proves it is there | why
needs='
build | g++                | g++                                 | compiles RocksDB, zstd and LZ4
build | clang              | clang                               | finds the C headers for RocksDB bindings
build | libclang-dev       | dpkg:libclang-dev                   | reads the C header of RocksDB
data  | pci.ids            | /usr/share/misc/pci.ids             | real identifiers: PCI devices
data  | usb.ids            | /usr/share/misc/usb.ids             | real identifiers: USB devices
data  | curl               | curl                                | asks the node over HTTP
data  | bind9-dnsutils     | dig                                 | asks the node over DNS
tests | curl               | curl                                | independent HTTP client
tests | bind9-dnsutils     | dig                                 | independent DNS client
tests | knot-dnsutils      | kdig                                | independent DNS client
tests | knot               | knotd                               | the DNS server our answers are compared with
tests | python3-venv       | dpkg:python3-venv                   | keeps Python programs to themselves
tests | python3            | python3                             | independent CSV reader and writer
tests | strace             | strace                              | watches syncs and injects disk faults
tests | openssl            | openssl                             | inspects certificates
tests | jq                 | jq                                  | independent JSON reader
tests | pci.ids            | /usr/share/misc/pci.ids             | real identifiers: PCI devices
tests | usb.ids            | /usr/share/misc/usb.ids             | real identifiers: USB devices
bench | knot               | knotd                               | DNS server measured beside the node
bench | nginx-light        | nginx                               | HTTP server measured beside the node
bench | postgresql-15      | /usr/lib/postgresql/15/bin/pgbench  | database whose inserts are measured beside the node
bench | util-linux         | taskset                             | keeps server and load on cores of their own
'

present() {
    case $1 in
        /*) [ -e "$1" ] ;;
        dpkg:*) dpkg -s "${1#dpkg:}" >/dev/null 2>&1 ;;
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
    esac
}

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "This is no Debian: install the programs named above, then try again." >&2
        exit 1
    fi
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "Run as root: apt-get install ${missing[*]}" >&2
            exit 1
        }
        root=(sudo)
    fi
    echo "installing: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -qq </dev/null >&2
    "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}

# The tests find it beside the folder of the program they test.
install_python() {
    local wanted cache environment
    wanted=$(dirname "${BASH_SOURCE[0]}")/requirements.txt
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/nameplate
    environment=${CARGO_TARGET_DIR:-$cache/target}/python
    # The list is copied last, so that an interrupted installation is done again.
    cmp -s "$wanted" "$environment/requirements.txt" && return
    echo "installing the Python programs of $wanted into $environment" >&2
    mkdir -p "$(dirname "$environment")"
    /usr/bin/python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        --no-deps --requirement "$wanted" >&2
    "$environment/bin/pip" check >/dev/null
    cp "$wanted" "$environment/requirements.txt"
}

missing=()
for group in "$@"; do
    while IFS='|' read -r of package proof why; do
        [ "$(trim "$of")" = "$group" ] || continue
        package=$(trim "$package")
        present "$(trim "$proof")" && continue
        [[ " ${missing[*]-} " == *" $package "* ]] && continue
        echo "needed: $package: $(trim "$why")" >&2
        missing+=("$package")
    done <<<"$needs"
done
[ ${#missing[@]} -eq 0 ] || install_packages
[[ " $* " != *" tests "* ]] || install_python
