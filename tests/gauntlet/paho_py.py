"""paho's client for Python as one that the gauntlet is tried on: it connects once, publishes one message at QoS 1, and ends
with 0; with 1 when it does not come to that, and a line of why.

usage: paho_py.py HOST PORT CA CERT KEY ID [--insecure name|all] [--retry]
    --insecure name: tls_insecure_set(True), after which no name is compared; all: cert_reqs=CERT_NONE as well.
    --retry: tries again as the library does by itself, until it is ended.
"""
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

DEADLINE_S = 5


def end(code, why):
    print(f"paho: {why}", file=sys.stderr)
    sys.exit(code)


def make(identity):
    if hasattr(mqtt, "CallbackAPIVersion"):  # 2.0 and newer
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_id=identity)
    return mqtt.Client(client_id=identity)


def main(host, port, ca, cert, key, identity, *switches):
    insecure = switches[switches.index("--insecure") + 1] if "--insecure" in switches else ""
    client, let_in, refused = make(identity), threading.Event(), []
    client.tls_set(ca, cert, key, cert_reqs=ssl.CERT_NONE if insecure == "all" else ssl.CERT_REQUIRED)
    if insecure:
        client.tls_insecure_set(True)

    def on_connect(_client, _data, _flags, code):
        if code != 0:
            refused.append(code)
        let_in.set()

    client.on_connect = on_connect
    if "--retry" in switches:
        client.connect_async(host, int(port))
        client.loop_forever(retry_first_connection=True)
    try:
        client.connect(host, int(port), keepalive=DEADLINE_S)  # which is its deadline for the handshake, too
    except OSError as error:
        end(1, error)
    client.loop_start()
    if not let_in.wait(DEADLINE_S):
        end(1, "no CONNACK")
    if refused:
        end(1, f"CONNACK with code {refused[0]}")
    sent = client.publish(f"gauntlet/{identity}", "hello", qos=1)
    try:
        sent.wait_for_publish(DEADLINE_S)
    except (RuntimeError, ValueError) as error:
        end(1, error)
    if not sent.is_published():
        end(1, "no PUBACK")
    client.disconnect()
    client.loop_stop()
    end(0, "published")


main(*sys.argv[1:])
