"""Calls function/handler.py as handle(event, context) and turns what it returns into a response."""

import json
import os
import threading
from urllib.parse import parse_qs, unquote, urlsplit

HTML = "text/html; charset=utf-8"
JSON = "application/json"


class Query(dict):
    """First value of each name; all of them with getlist."""

    def __init__(self, text: str):
        self._all = parse_qs(text, keep_blank_values=True)
        super().__init__({name: values[0] for name, values in self._all.items()})

    def getlist(self, name: str) -> list[str]:
        return self._all.get(name, [])


class Event:
    def __init__(self, method: str, target: str, headers, body: bytes):
        url = urlsplit(target)
        self.body = body
        self.headers = headers
        self.method = method
        self.query = Query(url.query)
        self.path = unquote(url.path)


class Context:
    def __init__(self):
        self.hostname = os.getenv("HOSTNAME", "localhost")


def call_in_time(handle, event: Event, seconds: float):
    """Whether the handler returned in time, and what; raises what it raised. A late one runs on, unheard."""
    outcome = {}

    def run():
        try:
            outcome["value"] = handle(event, Context())
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds if seconds > 0 else None)
    if "error" in outcome:
        raise outcome["error"]
    return "value" in outcome, outcome.get("value")


def to_response(value) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of None, str, bytes, a dict with statusCode/body/headers, or a tuple."""
    status, headers = 200, []
    if isinstance(value, dict):
        status = value.get("statusCode", 200)
        headers = value.get("headers") or []
        value = value.get("body", "")
    elif isinstance(value, tuple):
        value, status, headers = (*value, *(None, 200, [])[len(value) :])[:3]
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    kind, body = _encode(value)
    if not any(str(name).lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", kind))
    return int(status), [(str(name), str(one)) for name, one in pairs], body


def _encode(value) -> tuple[str, bytes]:
    if value is None:
        return HTML, b""
    if isinstance(value, (bytes, bytearray)):
        return HTML, bytes(value)
    if isinstance(value, (dict, list)):
        return JSON, json.dumps(value).encode()
    return HTML, str(value).encode()
