"""A PostgreSQL server of the tests' own, in a temporary folder, which ends with them."""

import itertools
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "install PostgreSQL, as with: apt-get install postgresql"
ASKED = "asked"  # the one role that gives a password
_USER = "sdindex"
_FIRST_WITH_ICU = 15
_numbers = itertools.count(1)


class Server:
    """A server on this machine; everybody may connect who names its port."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool) -> None:
        self._programs, self._folder, self._durable = programs, folder, durable
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def url(self, database: str, *, user: str = _USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self, like: str | None = None, *, on: str = "pg_default") -> str:
        """Make an empty database, or one like that of another URL; return its URL."""
        name, template = f"index{next(_numbers)}", _name(like) if like else "template0"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {on}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def close_all(self, url: str) -> None:
        """Close all other connections to a database, as whoever looks after it may."""
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()", url,
        )  # fmt: skip

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement on the tables of an index, as the one who may do all; return its rows."""
        import psycopg

        url = database if "://" in database else self.url(database)
        options = "-c search_path=sdindex,public"
        with psycopg.connect(url, autocommit=True, options=options) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Stop it and delete its files at the end, also when this process is killed."""
        end = '"$0/pg_ctl" -D data -m immediate stop; rm -rf "$1"'
        with subprocess.Popen(
            ["sh", "-c", f"read -r _; {end}", self._programs, self._folder],
            cwd=self._folder, user=owner(), group=owner(), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ):  # fmt: skip
            yield  # and what it reads ends

    def make(self) -> None:
        """Make its files."""
        icu = self._version() >= _FIRST_WITH_ICU
        locale = ["--locale-provider=icu", "--icu-locale=en-US"] if icu else ["--locale=C.UTF-8"]
        self._do("initdb", "-D", "data", "-U", _USER, "--auth=trust", "-E", "UTF8", "--no-sync",
                 *locale)  # fmt: skip
        rules = self._folder / "data" / "pg_hba.conf"
        asked = f"host all {ASKED} 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(asked + rules.read_text())

    def _version(self) -> int:
        told = subprocess.run(
            [self._programs / "initdb", "--version"], check=True, capture_output=True, text=True
        )
        return int(re.findall(r"\d+", told.stdout)[0])

    def start(self) -> None:
        """Start it, and wait until it answers."""
        synced = "on" if self._durable else "off"
        options = f"-c fsync={synced} -c max_connections=40 -k {self._folder} -p {self.port}"
        self._do("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as its machine would."""
        self._do("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def _do(self, program: str, *arguments: str) -> None:
        """Run a program of the server's."""
        subprocess.run(
            [self._programs / program, *arguments], cwd=self._folder, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=owner(), group=owner(),
        )  # fmt: skip


def missing() -> str | None:
    """Return why there can be no server; None when there can."""
    return None if _programs() else f"there is no PostgreSQL server here: {INSTALL}"


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """Give a server; one that is durable waits for its disk, and loses nothing with its machine."""
    programs = _programs()
    if programs is None:
        raise RuntimeError(missing())
    folder = Path(tempfile.mkdtemp(prefix="sdindex-server-"))
    if _is_root():
        shutil.chown(folder, "postgres", "postgres")
    server = Server(programs, folder, durable=durable)
    with server.guarded():
        server.make()
        server.start()
        yield server


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _programs() -> Path | None:
    """Return the folder of the newest server's programs."""
    found = shutil.which("initdb")
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    return Path(found).parent if found else versions[-1] if versions else None


def owner() -> str | None:
    """Return as whom it runs: not as root, who may not."""
    return "postgres" if _is_root() else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
