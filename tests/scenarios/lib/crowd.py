"""As many connections as a live page takes, and some more, with requests that never end: they go, one by one, so that somebody
else is answered. usage: crowd.py PORT"""
import socket
import sys

HERE = ("127.0.0.1", int(sys.argv[1]))


def answered(within_s):
    with socket.create_connection(HERE, 10) as one:
        one.settimeout(within_s)
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % HERE[1])
        try:
            return one.recv(15) == b"HTTP/1.1 200 OK"
        except TimeoutError:
            return False


crowd = [socket.create_connection(HERE, 10) for _ in range(20)]
for one in crowd:
    one.sendall(b"GET /metrics HTTP/1.1\r\nX-Long: " + b"x" * 100)
kept_out = not answered(3)
for one in crowd:
    one.close()
print(f"{'nobody' if kept_out else 'somebody'} else was answered; afterwards they {'were' if answered(20) else 'were not'}")
sys.exit(0 if not kept_out and answered(20) else 1)
