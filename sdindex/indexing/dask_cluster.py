"""Dask as the executor that moves batches of files: see `sdindex.indexing.batches`."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any

from sdindex.archive.names import printable
from sdindex.archive.roots import Root
from sdindex.errors import ReadingError, UsageError
from sdindex.indexing.batches import Batches, look, why_not

LOCAL = "local"
_CONNECT_SECONDS = 10
_ASK_SECONDS = 2.0  # seconds between two counts of the workers
_SAY_SECONDS = 10.0  # seconds without a worker, before that is logged

log = logging.getLogger("sdindex")


@contextmanager
def reading_by_dask(address: str, workers: int, timeout: float) -> Iterator[Batches]:
    """Give the `Batches` of a Dask cluster, or a local one; no task is left there at the end."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError as problem:
        raise UsageError("Dask is not installed: pip install 'sdindex[dask]'") from problem
    with ExitStack() as stack:
        at: Any = address
        if address == LOCAL:  # a worker is a thread here, and reading is done in our own processes
            local = {"n_workers": 1, "threads_per_worker": workers, "processes": False}
            at = stack.enter_context(distributed.LocalCluster(**local, dashboard_address=":0"))
        try:
            client = distributed.Client(at, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as problem:
            raise ReadingError(
                f"no scheduler of Dask answers at {printable(address)}: start one with: dask "
                "scheduler, or name its address, such as tcp://host:8786"
            ) from problem
        stack.callback(client.close)
        executor = client.get_executor()
        stack.callback(_cancel, executor)
        cluster = _Cluster(client, address)
        batches = Batches(executor, cluster.slots, cluster.require, timeout)
        stack.callback(batches.shutdown)
        yield batches


def _cancel(executor: Any) -> None:
    with suppress(OSError, TimeoutError):  # the scheduler is gone, and so are the tasks
        executor.shutdown(wait=False)


class _Cluster:
    """The workers of a cluster: how many there are, and whether they can be used."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = printable(address)
        self._slots = 0
        self._asked = float("-inf")
        self._none_since: float | None = None

    def slots(self) -> int:
        """Return how many threads the workers have; log it when there is none for long."""
        now = time.monotonic()
        if now - self._asked < _ASK_SECONDS:
            return self._slots
        self._asked = now
        with suppress(OSError, TimeoutError):  # the batches' futures raise it
            self._slots = sum(self._client.nthreads().values())
            if self._slots:
                self._none_since = None
            elif self._none_since is None:
                self._none_since = now
            elif now - self._none_since >= _SAY_SECONDS:
                log.warning("no workers at %s: waiting for one", self._address)
                self._none_since = float("inf")  # logged once
        return self._slots

    def require(self, root: Root, path: str) -> None:
        """Wait for a worker; refuse one that does not see the file or has other versions."""
        while not self.slots():
            if self._client.status == "closed":
                raise ReadingError(f"the scheduler of Dask at {self._address} is gone")
            time.sleep(_ASK_SECONDS / 10)
        answers = self._client.run(look, root, path, on_error="return")
        for worker, answer in sorted(answers.items()):
            why = why_not(answer, root, path)
            if why is not None:
                raise ReadingError(f"the worker {worker} {printable(why)}")
