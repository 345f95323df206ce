"""An HTTP/1.1 server, a thread per connection: health, readiness, limits and timeouts around a handler."""

import os
import re
import socket
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, TCPServer

from invoke import Event, call_in_time, to_response
from settings import Settings, lock_path, parse_duration

CHUNK_LINE_LIMIT = 1024


class BadRequest(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class FunctionServer(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, settings: Settings, handle):
        self.settings = settings
        self.handle_event = handle
        self.accepting = False
        self.inflight = 0
        self.lock = threading.Lock()
        if settings.socket_path:
            self.address_family = socket.AF_UNIX
            if os.path.exists(settings.socket_path):
                os.unlink(settings.socket_path)
        super().__init__(settings.socket_path or ("", settings.port), RequestHandler)

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def accept(self):
        if self.settings.lock_file:
            open(lock_path(), "w").close()
        self.accepting = True

    def refuse(self):
        self.accepting = False
        if self.settings.lock_file and os.path.exists(lock_path()):
            os.unlink(lock_path())

    def is_healthy(self) -> bool:
        return self.accepting and (not self.settings.lock_file or os.path.exists(lock_path()))

    def is_full(self) -> bool:
        return 0 < self.settings.max_inflight <= self.inflight

    def enter(self) -> bool:
        with self.lock:
            if self.is_full():
                return False
            self.inflight += 1
            return True

    def leave(self):
        with self.lock:
            self.inflight -= 1

    def drain(self, seconds: float):
        """Wait until no request runs, at most that long."""
        deadline = time.monotonic() + seconds
        while self.inflight > 0 and time.monotonic() < deadline:
            time.sleep(0.01)


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Longer than a gateway keeps an idle connection.
    timeout = 75
    # Head and body leave in one write.
    wbufsize = 64 * 1024
    server: FunctionServer

    def log_message(self, *_):
        """Requests are counted by the gateway; the log is the function's."""

    def answer_any(self):
        path = self.path.split("?")[0]
        if path == "/_/health":
            return self.answer_probe()
        if path == "/_/ready":
            return self.answer_ready()
        return self.answer_limited()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer_any

    def answer_probe(self):
        healthy = self.server.is_healthy()
        if self.command != "GET":
            return self.answer(405)
        return self.answer(200, [], b"OK") if healthy else self.answer(503)

    def answer_ready(self):
        if self.command != "GET" or not self.server.is_healthy():
            return self.answer_probe()
        if self.server.is_full():
            return self.answer_full()
        if not self.server.settings.ready_path:
            return self.answer(200)
        self.path = self.server.settings.ready_path
        return self.answer_handler()

    def answer_limited(self):
        if not self.server.enter():
            # The body is not read, so the connection cannot be used again.
            self.close_connection = True
            return self.answer_full()
        try:
            return self.answer_handler()
        finally:
            self.server.leave()

    def answer_full(self):
        limit = self.server.settings.max_inflight
        text = f"Concurrent request limit exceeded. Max concurrent requests: {limit}\n"
        headers = [("Content-Type", "text/plain"), ("X-OpenFaaS-Internal", "faas-middleware")]
        return self.answer(429, headers, text.encode())

    def answer_handler(self):
        start = time.perf_counter()
        try:
            event = Event(self.command, self.path, self.headers, self.read_body())
            in_time, value = call_in_time(self.server.handle_event, event, self.deadline())
            status, headers, body = to_response(value) if in_time else LATE
        except BadRequest as error:
            self.close_connection = True
            status, headers, body = error.status, TEXT, str(error).encode()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except BaseException as error:
            traceback.print_exc(file=sys.stderr)
            status, headers, body = 500, TEXT, f"{type(error).__name__}: {error}".encode()
        seconds = f"{time.perf_counter() - start:.6f}"
        self.answer(status, [*headers, ("X-Duration-Seconds", seconds)], body)

    def deadline(self) -> float:
        """exec_timeout, or a shorter X-Timeout of the caller; 0 is none."""
        limit = self.server.settings.exec_timeout
        try:
            asked = parse_duration(self.headers.get("X-Timeout", "0"))
        except ValueError:
            return limit
        return asked if 0 < asked < limit else limit

    def answer(self, status: int, headers=(), body: bytes = b""):
        self.send_response_only(status)
        for name, value in headers:
            if "\r" in name + value or "\n" in name + value:
                raise ValueError(f"header {name!r} has a line break")
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if status >= 200 and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()

    def read_body(self) -> bytes:
        coding = self.headers.get("Transfer-Encoding")
        length = self.headers.get_all("Content-Length", [])
        if coding is not None:
            if coding.lower() != "chunked" or length:
                raise BadRequest(400, "Transfer-Encoding must be chunked, without Content-Length.")
            return self.read_chunks()
        if len(set(length)) > 1 or not all(one.isascii() and one.isdigit() for one in length):
            raise BadRequest(400, "Content-Length must be one number.")
        size = int(length[0]) if length else 0
        self.refuse_over_limit(size)
        return self.read_exactly(size)

    def read_chunks(self) -> bytes:
        chunks, total = [], 0
        while size := self.read_chunk_size():
            total += size
            self.refuse_over_limit(total)
            chunks.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise BadRequest(400, "A chunk is longer than it says.")
        while self.rfile.readline(CHUNK_LINE_LIMIT).strip():
            # Trailers are not handed on.
            continue
        return b"".join(chunks)

    def read_chunk_size(self) -> int:
        size = self.rfile.readline(CHUNK_LINE_LIMIT).split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size):
            raise BadRequest(400, "A chunk has no size.")
        return int(size, 16)

    def read_exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client went away")
        return data

    def refuse_over_limit(self, size: int):
        limit = self.server.settings.max_body_bytes
        if size > limit:
            raise BadRequest(413, f"The body is larger than {limit} bytes; raise max_body_bytes.")


TEXT = [("Content-Type", "text/plain; charset=utf-8")]
LATE = (504, [("X-OpenFaaS-Internal", "of-watchdog")], b"")
