"""A PostgreSQL server of the tests' own, in a temporary folder, which ends with them."""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "install PostgreSQL, as with: apt-get install postgresql"
_USER = "sdindex"
_numbers = itertools.count(1)


class Server:
    """A server on this machine; everybody may connect who names its port."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def url(self, database: str, *, user: str = _USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"index{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the one who may do all; return its rows."""
        import psycopg

        url = database if "://" in database else self.url(database)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Stop it and delete its files at the end, also when this process is killed."""
        end = '"$0/pg_ctl" -D data -m immediate stop; rm -rf "$1"'
        with subprocess.Popen(
            ["sh", "-c", f"read -r _; {end}", self._programs, self._folder],
            cwd=self._folder, user=_owner(), group=_owner(), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ):  # fmt: skip
            yield  # and what it reads ends

    def make(self) -> None:
        """Make its files."""
        self._do("initdb", "-D", "data", "-U", _USER, "--auth=trust", "-E", "UTF8",
                 "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c fsync=off -c max_connections=40 -k {self._folder} -p {self.port}"
        self._do("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as its machine would."""
        self._do("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def _do(self, program: str, *arguments: str) -> None:
        """Run a program of the server's."""
        subprocess.run(
            [self._programs / program, *arguments], cwd=self._folder, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=_owner(), group=_owner(),
        )  # fmt: skip


def missing() -> str | None:
    """Return why there can be no server; None when there can."""
    return None if _programs() else f"there is no PostgreSQL server here: {INSTALL}"


@contextmanager
def running() -> Iterator[Server]:
    """Give a server."""
    programs = _programs()
    if programs is None:
        raise RuntimeError(missing())
    folder = Path(tempfile.mkdtemp(prefix="sdindex-server-"))
    if _is_root():
        shutil.chown(folder, "postgres", "postgres")
    server = Server(programs, folder)
    with server.guarded():
        server.make()
        server.start()
        yield server


def _programs() -> Path | None:
    """Return the folder of the newest server's programs."""
    found = shutil.which("initdb")
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    return Path(found).parent if found else versions[-1] if versions else None


def _owner() -> str | None:
    """Return as whom it runs: not as root, who may not."""
    return "postgres" if _is_root() else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
