"""The server of the page, on this machine alone."""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from sdindex.errors import UsageError
from sdindex.web.guard import Guard

_HOST = "127.0.0.1"  # this machine alone
_END_SECONDS = 2.0


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Serve an application to this machine while the block runs, and give its address.

    Parameters
    ----------
    port
        0 is any that is free.

    Raises
    ------
    UsageError
        When another program listens there.
    """
    token = secrets.token_urlsafe(32)
    with socket.socket() as listening:
        try:
            listening.bind((_HOST, port))
        except (OSError, OverflowError) as problem:
            raise UsageError(
                f"port {port} cannot be had ({problem}); name another with --port, or none"
            ) from problem
        listening.listen(128)
        number = listening.getsockname()[1]
        config = uvicorn.Config(
            Guard(app, token, number),
            loop="asyncio",  # another choice would change the event loop policy of this process
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=1 << 16,
        )
        server = uvicorn.Server(config)
        # In a thread of its own it leaves the signals of this process alone.
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        started = threading.Event()
        try:
            while not server.started and thread.is_alive():
                started.wait(0.01)
            yield f"http://{_HOST}:{number}/?token={token}"
        finally:
            server.should_exit = server.force_exit = True
            with suppress(KeyboardInterrupt):
                thread.join(_END_SECONDS)
