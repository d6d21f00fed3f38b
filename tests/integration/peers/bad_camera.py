"""What one finds at a camera's address that is no camera."""

import os
import socket
import threading

SOUND = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
         "a=control:track1\r\n")
VIDEO = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
         "a=fmtp:96 packetization-mode=1\r\na=control:track1\r\n")


class BadCamera:
    """mode: sound (no video described), noise (random bytes after PLAY), mute (nothing after PLAY), silent (never
    answers), locked (refuses every password), endless (a header without an end), huge (a description of 2 GB), closes (takes and hangs up)."""

    def __init__(self, mode, port=0):
        self.mode = mode
        self.n_accepted = 0
        self.n_signed = 0
        self.peers = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.url = f"rtsp://127.0.0.1:{self.listener.getsockname()[1]}/stream"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.n_accepted += 1
            self.peers.append(peer)
            threading.Thread(target=self.serve_quietly, args=(peer,), daemon=True).start()

    def serve_quietly(self, peer):
        try:
            self.serve(peer)
        except OSError:
            pass
        finally:
            peer.close()

    def serve(self, peer):
        if self.mode == "closes":
            return
        if self.mode == "silent":
            while peer.recv(4096):
                pass
            return
        if self.mode == "endless":
            peer.sendall(b"RTSP/1.0 200 OK\r\n")
            while True:
                peer.sendall(b"X-Padding: " + b"x" * 1000 + b"\r\n")
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = peer.recv(4096)
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            self.answer(peer, head.decode().split("\r\n"))

    def answer(self, peer, lines):
        method = lines[0].split()[0]
        seq = next((x.split(":")[1].strip() for x in lines if x.lower().startswith("cseq:")), "0")
        head = f"RTSP/1.0 200 OK\r\nCSeq: {seq}\r\n"
        self.n_signed += any(x.startswith("Authorization:") for x in lines)
        if self.mode == "locked" and method != "OPTIONS":
            peer.sendall((f"RTSP/1.0 401 Unauthorized\r\nCSeq: {seq}\r\n"
                          'WWW-Authenticate: Digest realm="r", nonce="same"\r\n\r\n').encode())
        elif method == "OPTIONS":
            peer.sendall((head + "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n").encode())
        elif method == "DESCRIBE":
            text = SOUND if self.mode == "sound" else VIDEO
            n = 2 ** 31 if self.mode == "huge" else len(text)
            peer.sendall((head + f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\nContent-Length: {n}\r\n\r\n"
                          + text).encode())
        elif method == "SETUP":
            peer.sendall((head + "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n").encode())
        else:
            peer.sendall((head + "Session: 1\r\n\r\n").encode())
            if method == "PLAY" and self.mode == "noise":
                for _ in range(500):
                    peer.sendall(os.urandom(1000))

    def end(self):
        self.listener.close()
        for peer in self.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
