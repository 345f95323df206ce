"""Serves function/handler.py over HTTP and is its own watchdog: health, limits, timeouts, shutdown.

`python3 index.py` listens on TCP `port`; `python3 index.py --listen <path>` on that Unix socket.
"""

import os
import signal
import site
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Packages of requirements.txt, with the .pth files they bring.
site.addsitedir(os.path.join(HERE, "python"))

from http_server import FunctionServer  # noqa: E402
from settings import read_settings  # noqa: E402


def main():
    settings = read_settings(dict(os.environ), sys.argv[1:])
    wait_for_signal = watch_signals()
    from function import handler

    server = FunctionServer(settings, handler.handle)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    server.accept()

    wait_for_signal()
    server.refuse()
    time.sleep(settings.healthcheck_interval)
    server.shutdown()
    server.drain(settings.write_timeout)
    sys.stdout.flush()
    # Threads of late handlers would keep the process.
    os._exit(0)


def watch_signals():
    """Returns what waits for SIGTERM or SIGINT.

    The interpreter writes to the pipe itself, at once: an Event set from a handler can deadlock, and a
    handler of our own runs too late when the signal comes just before the wait.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait():
        while os.read(read_end, 1)[0] not in (signal.SIGTERM, signal.SIGINT):
            # A signal that the function watches for itself.
            continue

    return wait


if __name__ == "__main__":
    main()
