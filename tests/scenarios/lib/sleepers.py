"""Readers of a live page's events that never read: more than there are places. /metrics is answered all the same, one of them
after the other is let go, and whoever reads late finds a state or two of long ago, not a queue. usage: sleepers.py PORT"""
import re
import socket
import sys
import time

HERE = ("127.0.0.1", int(sys.argv[1]))


def ask(path, room=None):
    one = socket.socket()
    if room:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    one.settimeout(10)
    one.connect(HERE)
    one.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (path, HERE[1]))
    return one


def answered():
    began = time.monotonic()
    with ask(b"/metrics") as one:
        ok = one.recv(15) == b"HTTP/1.1 200 OK"
    return ok and time.monotonic() - began < 3


def closed(one):
    """Whether the server has let it go: what the kernel holds is read first."""
    one.settimeout(0.2)
    try:
        while one.recv(1 << 16):
            pass
        return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True


sleepers = [ask(b"/events", 4096) for _ in range(20)]
first = [one.recv(12) for one in sleepers]
print(f"{first.count(b'HTTP/1.1 200')} look on, {first.count(b'HTTP/1.1 503')} are one too many")
late = sleepers[0]
ok = first.count(b"HTTP/1.1 200") == 12
for _ in range(10):
    ok = ok and answered()
    time.sleep(0.5)
print("/metrics was answered" if ok else "/metrics was NOT answered")

# 5 s late: ten states have been shown since. What is there at once is what kernels hold; the newest comes after it.
late.settimeout(0.3)
held = b""
try:
    while len(held) < 1 << 22:
        held += late.recv(1 << 16)
except TimeoutError:
    pass
moments = [float(t) for t in re.findall(rb'"now_s":([0-9.]+)', held)]
print(f"{len(held)} bytes, {len(moments)} states")
ok = ok and 2 <= len(moments) <= 6 and moments[-1] - moments[0] > 3

began = time.monotonic()
time.sleep(14)
gone = sum(closed(one) for one in sleepers[1:12])
print(f"{gone} of 11 were let go within {time.monotonic() - began:.0f} s more")
sys.exit(0 if ok and gone == 11 and answered() else 1)
