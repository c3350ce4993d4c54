#!/usr/bin/env bash
# What `make run` does: a node on ./data with Debian's lists of PCI and USB devices in it, the story
# of an enterprise (story.sh), then the node's log on the terminal until Ctrl-C. Can be run again:
# what is there stays, what is listed is unchanged.
# DATA, HTTP and DNS choose another folder and other addresses.
set -euo pipefail
program=$1
data=${DATA:-data}
http=${HTTP:-127.0.0.1:8080}
dns=${DNS:-127.0.0.1:5300}

umask 077
mkdir -p "$data"
secret=$data/admin.token
if [ ! -s "$secret" ]; then
    if [ -d "$data/store" ]; then
        # Started before by other means: nobody knows its first token here.
        "$program" token create --data "$data" --account operator --json \
            | sed -n 's/.*"secret": *"\([^"]*\)".*/\1/p' >"$secret"
    else
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$secret"
    fi
fi
token=$(<"$secret")

log=$data/node.log
rm -f "$data/addresses.json"
setsid env NAMEPLATE_ADMIN_TOKEN="$token" \
    "$program" serve --data "$data" --http "$http" --dns "$dns" </dev/null >>"$log" 2>&1 &
node=$!
stop() {
    trap - EXIT INT TERM
    kill -TERM "$node" 2>/dev/null && echo "stopping the node" || true
    wait "$node" || true
}
trap stop EXIT
trap 'stop; exit 0' INT TERM

# The file says that this node is the one that has the addresses.
until [ -e "$data/addresses.json" ] && curl -fsS -o /dev/null "http://$http/readyz" 2>/dev/null; do
    if ! kill -0 "$node" 2>/dev/null; then
        tail -n 5 "$log" >&2
        echo "the node did not start; for other addresses: HTTP=127.0.0.1:8081 DNS=127.0.0.1:5301 make run" >&2
        exit 1
    fi
    sleep 0.2
done

NAMEPLATE_SERVER="http://$http" NAMEPLATE_TOKEN="$token" \
    "$program" import /usr/share/misc/pci.ids /usr/share/misc/usb.ids
# Somebody's own data may not let it go on; the node is there all the same.
NAMEPLATE_TOKEN="$token" "${BASH_SOURCE%/*}/story.sh" "$program" "$data" "$http" "$dns" ||
    echo "that did not go on: what is in $data is not what it began with"

cat <<TEXT

A node is running with real equipment and an enterprise in it. Its data are in $data, the token of
its staff in $secret, that of the enterprise in $data/xian-pumps.token. Things to try in
another terminal:

  curl http://$http/api/v1/identifiers/88.118.104318%2F1DB4
  curl -i http://$http/88.118.104318/1db4
  dig @${dns%:*} -p ${dns##*:} 1db4._id.104318.118.88.id.example. TXT
  $program resolve 88.118.232903/0A2B --server http://$http
  NAMEPLATE_TOKEN=\$(cat $data/xian-pumps.token) $program find \\
      --prefix 88.118.610100 --server http://$http
  NAMEPLATE_TOKEN=\$(cat $secret) $program register 88.118.8/SN-100 \\
      --url https://example.com/pump --attribute model=P-100 --server http://$http

The node's log follows; Ctrl-C stops the node.

TEXT
# In the background: a shell that waits for a program in the foreground obeys no signal.
tail -n 3 -f --pid="$node" "$log" &
wait "$node"
