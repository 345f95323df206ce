"""What the watchdog reads from its environment, with the names and defaults of OpenFaaS' of-watchdog."""

import os
import re
from dataclasses import dataclass

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Settings:
    socket_path: str | None
    port: int
    max_inflight: int
    write_timeout: float
    exec_timeout: float
    healthcheck_interval: float
    ready_path: str
    lock_file: bool
    max_body_bytes: int


def read_settings(env: dict[str, str], args: list[str]) -> Settings:
    """Raises ValueError naming the variable that does not parse and what it holds."""
    socket_path = args[1] if len(args) == 2 and args[0] == "--listen" else None
    write_timeout = _read(env, "write_timeout", "30s", parse_duration)
    # Whoever gives a socket stops routing to it before it sends SIGTERM.
    interval = "0" if socket_path else f"{write_timeout}s"
    return Settings(
        socket_path=socket_path,
        port=_read(env, "port", "8080", int),
        max_inflight=_read(env, "max_inflight", "0", int),
        write_timeout=write_timeout,
        exec_timeout=_read(env, "exec_timeout", "30s", parse_duration),
        healthcheck_interval=_read(env, "healthcheck_interval", interval, parse_duration),
        ready_path=env.get("ready_path", ""),
        # Replicas on one machine share the temporary folder.
        lock_file=socket_path is None and env.get("suppress_lock") != "true",
        max_body_bytes=_read(env, "max_body_bytes", str(64 * 1024 * 1024), int),
    )


def parse_duration(text: str) -> float:
    """Seconds of plain seconds ("30") or a Go duration ("1m5s")."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
        raise ValueError('expected a duration such as "30s" or "1m5s"')
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    return sum(float(amount) * UNITS[unit] for amount, unit in parts)


def lock_path() -> str:
    return os.path.join(os.environ.get("TMPDIR", "/tmp"), ".lock")


def _read(env, name, fallback, parse):
    text = env.get(name) or fallback
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f'{name} is "{text}": {error}') from error
