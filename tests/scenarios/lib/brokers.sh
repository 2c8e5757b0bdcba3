#!/bin/sh
# Makes scenarios/BROKERS.md: what each broker that is installed does, seen in runs of our own. Some minutes.
# usage: brokers.sh PATH/TO/fleetsim > scenarios/BROKERS.md
set -u
fleetsim=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
seen=$(mktemp -d)
trap 'rm -rf "$seen"' EXIT
trap 'exit 130' INT TERM
for broker in mosquitto rabbitmq aedes nginx; do
  facts=$seen/$broker sh "$here/staging_$broker.sh" "$fleetsim" >&2
done
python3 "$here/lib/brokers.py" "$seen"
