"""A small HTTP client whose connections break visibly: http.client would reconnect without a word."""

import json
import select
import socket

TIMEOUT_SECONDS = 10


class Broken(Exception):
    """The connection ended before the answer did."""


class Connection:
    """One connection to a subject; an answer must say where it ends."""

    def __init__(self, port, timeout=TIMEOUT_SECONDS):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = True  # false once the server has said that it closes

    def ended_while_idle(self):
        """Whether the server has closed it since the last answer."""
        # An idle connection has nothing to read but its end.
        return bool(select.select([self.socket], [], [], 0)[0])

    def request(self, path, method="GET", keep=True):
        """(status, body) of one request."""
        ending = "" if keep else "Connection: close\r\n"
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        try:
            self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{length}{ending}\r\n".encode())
            return self._answer()
        except OSError as error:
            raise Broken(str(error)) from None

    def _answer(self):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._read()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.kept = headers.get("connection", "").lower() != "close"
        if headers.get("transfer-encoding") == "chunked":
            body = self._chunks(body)
        elif "content-length" in headers:
            while len(body) < int(headers["content-length"]):
                body += self._read()
        else:
            raise Broken(f"neither Content-Length nor chunks: {lines[0]}")
        return int(lines[0].split()[1]), body.decode("utf-8", "replace")

    def _chunks(self, data):
        """The text of chunks; nginx sends no trailers."""
        text = b""
        while True:
            while b"\r\n" not in data:
                data += self._read()
            size, _, data = data.partition(b"\r\n")
            size = int(size, 16)
            while len(data) < size + 2:
                data += self._read()
            if not size:
                return text
            text, data = text + data[:size], data[size + 2:]

    def _read(self):
        part = self.socket.recv(65536)
        if not part:
            raise Broken("the server closed the connection")
        return part

    def close(self):
        self.socket.close()


def control(port, method, call):
    """(status, decoded reply) of a control call, on a connection of its own."""
    connection = Connection(port)
    try:
        status, body = connection.request(f"/hotlua/{call}", method, keep=False)
    finally:
        connection.close()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, {"error": body.strip()[:200]}
