"""A WebSocket client, as little as the wall needs."""

import base64
import json
import os
import socket
import struct


class WebSocket:
    def __init__(self, port, path, headers, subprotocol):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.data = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: {subprotocol}"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.sock.recv(4096)
            if not piece:
                break
            head += piece
        head, _, self.data = head.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])

    def _take(self, n):
        while len(self.data) < n:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError
            self.data += piece
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def receive(self):
        """(opcode, payload) of the next data message; pings are answered."""
        while True:
            first, second = self._take(2)
            n = second & 127
            if n == 126:
                n = struct.unpack(">H", self._take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self._take(8))[0]
            payload = self._take(n)
            if first & 15 == 9:
                self.send(payload, 10)
            elif first & 15 in (1, 2, 8):
                return first & 15, payload

    def send(self, payload, opcode=1):
        mask = os.urandom(4)
        head = bytes([128 | opcode])
        head += bytes([128 | len(payload)]) if len(payload) < 126 else bytes([128 | 126]) + struct.pack(">H", len(payload))
        self.sock.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def send_json(self, value):
        self.send(json.dumps(value).encode())

    def close(self):
        self.sock.close()
