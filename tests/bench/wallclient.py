"""A WebSocket client just good enough to measure the wall protocol (docs/wall-protocol.md)."""

import base64
import json
import os
import socket
import struct
import time

KIND_MEDIA = 2
FLAG_KEY = 1
FLAG_AUDIO = 2


class Wall:
    def __init__(self, port, token):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((
            "GET /api/v1/wall HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: rookery.wall.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise SystemExit("bench: the wall answers " + head.split(b"\r\n")[0].decode())

    def more(self):
        piece = self.sock.recv(1 << 18)
        if not piece:
            raise SystemExit("bench: the wall closed the connection")
        self.data += piece

    def need(self, n):
        while len(self.data) < n:
            self.more()

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        n = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack(">H", n)
        masked = bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
        self.sock.sendall(head + mask + masked)

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def receive(self):
        """The next message: a dict, or bytes."""
        whole = b""
        while True:
            self.need(2)
            opcode, n, at = self.data[0] & 15, self.data[1] & 127, 2
            if n == 126:
                self.need(4)
                n, at = struct.unpack(">H", self.data[2:4])[0], 4
            elif n == 127:
                self.need(10)
                n, at = struct.unpack(">Q", self.data[2:10])[0], 10
            is_last = self.data[0] & 0x80
            self.need(at + n)
            payload, self.data = self.data[at:at + n], self.data[at + n:]
            if opcode == 9:
                self.frame(10, payload)
                continue
            if opcode == 8:
                raise SystemExit("bench: the wall closed the connection")
            if opcode == 10:
                continue
            if opcode in (1, 2):
                kind = opcode
            whole += payload
            if is_last:
                return json.loads(whole) if kind == 1 else whole

    def first_pictures(self, cameras, gen, stream):
        """Subscribes one tile per camera; seconds from there to each tile's first key frame."""
        start = time.monotonic()
        for tile, camera in enumerate(cameras):
            self.send({"type": "subscribe", "tile": tile, "gen": gen, "camera": camera,
                       "stream": stream, "audio": False})
        waits = {}
        while len(waits) < len(cameras):
            message = self.receive()
            if isinstance(message, dict):
                if message.get("type") == "error":
                    raise SystemExit(f"bench: the wall says {message}")
                continue
            kind, flags, tile, got = struct.unpack(">BBHI", message[:8])
            if got == gen and kind == KIND_MEDIA and flags & FLAG_KEY and not flags & FLAG_AUDIO:
                waits.setdefault(tile, time.monotonic() - start)
        for tile in range(len(cameras)):
            self.send({"type": "unsubscribe", "tile": tile})
        return list(waits.values())
