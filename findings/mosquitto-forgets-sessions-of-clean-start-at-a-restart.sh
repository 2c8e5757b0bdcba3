#!/bin/sh
# mosquitto 2.0.11 with persistence: an MQTT 5 session that was begun with Clean Start 1 is gone after an orderly restart,
# with the QoS 1 messages that were acknowledged for it, although its Session Expiry Interval says that it never ends.
#
# Version:  mosquitto 2.0.11-1.2+deb12u2 (Debian 12), Linux.
# Expected: Clean Start says only that an earlier session is not to be continued. How long the new one lasts is said by
#           the Session Expiry Interval (MQTT 5, 3.1.2.4 and 3.1.2.11.2); 0xFFFFFFFF is for ever. With 'persistence true'
#           mosquitto keeps sessions over a restart, so this one, too.
# Seen:     without a restart the session is there when the client comes back. Over a restart it is not (Session Present
#           0), and a message that was published to it at QoS 1 meanwhile, and acknowledged to who sent it, never comes.
#           A session begun with Clean Start 0 is kept, also one that was begun with 1 and continued with 0 before the
#           restart. So a client that wants to begin clean and then be remembered connects twice.
#
# usage: mosquitto-forgets-sessions-of-clean-start-at-a-restart.sh     needs Debian's apt, python3. Exit 0: as seen; 1: it has
#        changed; 77: that version is gone.
set -eu
version=2.0.11-1.2+deb12u2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p debs/partial root data
apt-get -qq -y --reinstall --download-only --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  -o Dir::Cache::archives="$work/debs" install "mosquitto=$version" >apt.log 2>&1 ||
  { echo "mosquitto $version cannot be had from this machine's archive"; exit 77; }
for deb in debs/*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(find root -name 'lib*.so*' -exec dirname {} + | sort -u | sed "s,^,$work/," | tr '\n' ':')
export LD_LIBRARY_PATH

cat >sessions.py <<'PY'
"""One device per row: how its session begins, whether it is continued, whether the broker restarts; what is left of it."""
import getpass, os, socket, struct, subprocess, sys, time

NEVER = 0xFFFFFFFF
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
with open("mosquitto.conf", "w") as conf:
    conf.write(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
               f"persistence_location {os.getcwd()}/data/\nuser {getpass.getuser()}\n")


def start():
    broker = subprocess.Popen(["root/usr/sbin/mosquitto", "-c", "mosquitto.conf"], stderr=subprocess.DEVNULL)
    for _ in range(50):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return broker
        except OSError:
            time.sleep(0.1)
    sys.exit("mosquitto does not start")


def stop(broker):
    broker.terminate()
    broker.wait()


def text(value):
    return struct.pack(">H", len(value)) + value


def packet(kind, body):
    return bytes([kind, len(body)]) + body


def connect(name, clean):
    line = socket.create_connection(("127.0.0.1", port))
    line.settimeout(2)
    properties = b"\x11" + struct.pack(">I", NEVER)
    line.sendall(packet(0x10, text(b"MQTT") + bytes([5, 2 if clean else 0]) + struct.pack(">H", 60) +
                        bytes([len(properties)]) + properties + text(name)))
    answer = line.recv(256)
    assert answer[0] == 0x20 and answer[3] == 0, answer
    return line, answer


def row(first_clean, continued, restarted):
    broker = start()
    name = b"meter-%d%d%d" % (first_clean, continued, restarted)
    line, _ = connect(name, first_clean)
    line.sendall(packet(0x82, struct.pack(">H", 1) + b"\x00" + text(name) + b"\x01"))
    assert line.recv(256)[0] == 0x90
    if continued:
        line.close()
        line, answer = connect(name, False)
        assert answer[2] == 1
    line.close()
    time.sleep(0.3)
    sender, _ = connect(b"office", True)
    sender.sendall(packet(0x32, text(name) + struct.pack(">H", 7) + b"\x00" + b"new firmware"))
    acknowledged = sender.recv(256)[0] == 0x40
    sender.close()
    if restarted:
        stop(broker)
        broker = start()
    line, answer = connect(name, False)
    kept, rest = answer[2] == 1, answer
    try:
        while b"new firmware" not in rest:
            more = line.recv(256)
            if not more:
                break
            rest += more
    except TimeoutError:
        pass
    line.close()
    stop(broker)
    return acknowledged, kept, b"new firmware" in rest


result = 0
for first, continued, restarted, wanted in (
    (True, False, False, (True, True, True)),
    (True, False, True, (True, False, False)),
    (True, True, True, (True, True, True)),
    (False, False, True, (True, True, True)),
):
    seen = row(first, continued, restarted)
    words = (f"Clean Start {int(first)}{', continued with 0' if continued else ''}, "
             f"{'restart' if restarted else 'no restart'}: PUBACK {seen[0]}, session present {seen[1]}, delivered {seen[2]}")
    print("as seen:" if seen == wanted else f"CHANGED (was {wanted}):", words)
    result |= seen != wanted
sys.exit(result)
PY
python3 sessions.py
