"""Processes of the program's own: how one starts, what it may import, and how it ends.

A fork server imports once what workers need, and forks: a worker then starts within milliseconds.
Where the system has no fork, each worker starts by itself. Neither looks for modules in the current
folder or runs the caller's script, and the caller's process is not changed.
"""

import atexit
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from time import monotonic
from traceback import format_exc
from typing import Any, Protocol

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection

End = Any  # an end of a pipe: a Connection, or on Windows a PipeConnection

START_SECONDS = 30.0
END_SECONDS = 1.0  # a killed process may stay while the system waits for a disk on its behalf
_BEGIN = (
    "import sys; sys.path[:] = sys.argv[3:]; from sdindex.processes import {0}; "
    "{0}(int(sys.argv[1]), int(sys.argv[2]))"
)
# Numpy would start a pool of threads in each worker: they do nothing for a hash and cost time.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


class WorkerDiedError(Exception):
    """The process that had the call in hand is gone, or the server that was to start it."""


class Process(Protocol):
    """A worker, which calls what it is given, one call after the other."""

    @property
    def pipe(self) -> End:
        """The caller's end of the pipe to it."""
        ...

    def kill(self) -> None:
        """End it at once: it has nothing to tidy up."""
        ...


def started(modules: Sequence[str]) -> Process:
    """Start a worker, which has these modules imported or imports them at `prepare`.

    Raises
    ------
    WorkerDiedError
        When the server that starts it is gone.
    TimeoutError
        When it does not start.
    OSError
        When the system does not give another process or pipe.
    """
    if sys.platform == "win32":
        return Alone()
    try:
        return _server_with(modules).fork()
    except WorkerDiedError:  # the old server was gone; a new one is started
        return _server_with(modules).fork()


def get_ready(modules: Sequence[str]) -> None:
    """Have the server import modules while this process goes on; nothing where there is no fork."""
    if sys.platform != "win32":
        with suppress(WorkerDiedError, OSError):  # the first worker that does not start tells why
            _server_with(modules)


class Server:
    """A process that imports modules and forks into workers."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._in_step = True  # whether its next answer belongs to the next question
        self._asking = threading.Lock()
        self._imported: set[str] = set()
        ours, its_end = socket.socketpair()
        self._socket = ours  # sends an end of a pipe; made now, as opening it later could fail
        self._control = Connection(os.dup(ours.fileno()))
        life_end, self._life = Pipe(duplex=False)  # breaks when this process ends
        try:
            with its_end, life_end:
                self._program = _program("serve", its_end, life_end)
        except BaseException:
            self._close_ends()
            raise

    @property
    def runs(self) -> bool:
        """Say whether the server runs and was started by this process."""
        return self._in_step and self.owner == os.getpid() and self._program.poll() is None

    def prepare(self, modules: Sequence[str]) -> None:
        """Have the server import modules, without waiting."""
        with self._asking:
            if not self._imported.issuperset(modules):
                self._imported.update(modules)
                self._tell("prepare", tuple(modules))

    def fork(self) -> "Forked":
        """Start a worker."""
        ours, its_end = Pipe()
        try:
            with its_end, self._asking:
                self._tell("fork", None)
                socket.send_fds(self._socket, [b"."], [its_end.fileno()])
                if not self._control.poll(START_SECONDS):
                    raise TimeoutError
                answer = self._control.recv()
        except BaseException as problem:
            ours.close()
            self._in_step = False
            if isinstance(problem, EOFError | ConnectionError):
                raise WorkerDiedError from problem
            raise
        if isinstance(answer, OSError):
            ours.close()
            raise answer
        return Forked(self, answer, ours)

    def kill(self, pid: int) -> None:
        """End a worker; its parent, the server, knows that its process id was not given anew."""
        with self._asking, suppress(WorkerDiedError):
            self._tell("kill", pid)

    def close(self) -> None:
        """End it, and all its workers."""
        self._close_ends()
        if self.owner == os.getpid():
            try:
                self._program.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._program.kill()

    def _close_ends(self) -> None:
        self._socket.close()
        self._control.close()
        self._life.close()

    def _tell(self, *request: object) -> None:
        try:
            self._control.send(request)
        except OSError as problem:
            raise WorkerDiedError from problem


class Forked:
    """A worker that the server forked."""

    def __init__(self, server: Server, pid: int, pipe: End) -> None:
        self.pipe: End = pipe
        self._server = server
        self._pid = pid

    def kill(self) -> None:
        """End it at once."""
        self._server.kill(self._pid)


class Alone:
    """A worker that was started by itself."""

    def __init__(self) -> None:
        self.pipe, its_end = Pipe()
        life_end, self._life = Pipe(duplex=False)
        try:
            with its_end, life_end:
                self._program = _program("work_alone", its_end, life_end)
        except BaseException:
            self.pipe.close()
            self._life.close()
            raise

    def kill(self) -> None:
        """End it at once."""
        self._program.kill()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(END_SECONDS)
        self._life.close()


_changing = threading.Lock()
_server: Server | None = None


def _server_with(modules: Sequence[str]) -> Server:
    global _server
    with _changing:
        if _server is None or not _server.runs:
            if _server is not None:
                _server.close()
            _server = Server()
        _server.prepare(modules)
        return _server


def end_server() -> None:
    """End the server, if there is one, and its workers; the next worker starts another."""
    global _server
    with _changing:
        if _server is not None:
            _server.close()
        _server = None


@atexit.register
def _end_with_python() -> None:
    with suppress(KeyboardInterrupt):  # the program ends anyway
        end_server()


def _program(task: str, *ends: Any) -> "subprocess.Popen[bytes]":
    """Start Python with a function of this module; it gets the numbers of its ends of pipes."""
    numbers = [end.fileno() for end in ends]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        for number in numbers:
            os.set_handle_inheritable(number, True)
        options["startupinfo"] = subprocess.STARTUPINFO(lpAttributeList={"handle_list": numbers})
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["pass_fds"] = numbers
    # In a session of its own Ctrl-C does not reach it: the main process handles that.
    return subprocess.Popen(  # noqa: S603  (it is this very program)
        [
            sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}", "-c", _BEGIN.format(task),
            *map(str, numbers), *_folders_of_modules(),
        ],
        cwd=os.path.abspath(os.sep),  # it holds no folder, so that a disk can be unmounted
        env={**_ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a library that dies writes several lines, in each process
        start_new_session=True,
        **options,
    )  # fmt: skip


def _folders_of_modules() -> list[str]:
    """Return the folders in which modules are looked for: as here, but the current folder.

    That may be a memory card, or somebody's archive, with a ``queue.py`` in it. If the program
    itself lies there, it is kept.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # the current folder was removed
        here = ours
    return [
        folder
        for folder in map(str, sys.path)
        if os.path.isabs(folder)
        and (os.path.realpath(folder) != here or os.path.realpath(ours) == here)
    ]


def serve(control_number: int, life_number: int) -> None:
    """Be the fork server until the main process is done or gone."""
    control, workers = Connection(control_number), set[int]()
    its_socket = socket.socket(fileno=os.dup(control_number))
    with suppress(EOFError, ConnectionError):
        while True:
            wanted, what = control.recv()
            _forget_ended(workers)
            if wanted == "prepare":
                with suppress(Exception):  # the worker that needs the module tells what is wrong
                    prepare(what)
            elif wanted == "kill" and what in workers:
                os.kill(what, signal.SIGKILL)
            elif wanted == "fork":
                number = _received(its_socket)
                answer = _forked() if isinstance(number, int) else number
                if isinstance(number, int):
                    if answer == 0:
                        its_socket.close()
                        control.close()
                        _work_and_end(number, life_number)
                    os.close(number)
                if isinstance(answer, int):
                    workers.add(answer)
                control.send(answer)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)  # there is nothing to tidy up, and the main process waits


def _received(control: socket.socket) -> int | OSError:
    """Return the descriptor of an end of a pipe that was sent here, or the system's error."""
    message, numbers, _, _ = socket.recv_fds(control, 1, 1)
    if not message:  # the main process ended in the middle of its question
        raise EOFError
    return numbers[0] if numbers else OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def work_alone(number: int, life_number: int) -> None:
    """Be a worker that no server forked."""
    _work_and_end(number, life_number)


def _forked() -> int | OSError:
    try:
        return os.fork()
    except OSError as problem:
        return problem


def _forget_ended(workers: set[int]) -> None:
    """Forget the process ids of workers that have ended: the system may give them to others."""
    with suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            workers.discard(pid)


def _work_and_end(number: int, life_number: int) -> None:
    status = 1
    try:
        life, pipe = _end_of_pipe(life_number), _end_of_pipe(number)
        try:
            threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
        except RuntimeError:  # the system gave no thread
            lacking = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            pipe.recv_bytes()
            pipe.send_bytes(ForkingPickler.dumps((None, lacking)))
        else:
            _work(pipe)
            status = 0
    finally:
        os._exit(status)


def _end_of_pipe(number: int) -> End:
    if sys.platform == "win32":
        return PipeConnection(number)
    return Connection(number)


def _end_with_parent(life: End) -> None:
    """End this process when the main process is gone, however it ended.

    A worker that waits for its next call notices by itself; one that hangs in a read does not.
    """
    with suppress(EOFError, OSError):
        life.recv_bytes()
    os._exit(1)


def _work(pipe: End) -> None:
    """Be a worker: make the calls that come, and answer with the result or the error."""
    with suppress(EOFError, ConnectionError):  # the main process is done, or gone
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(call: bytes) -> Any:
    try:
        function, args, kwargs = ForkingPickler.loads(call)
        return ForkingPickler.dumps((function(*args, **kwargs), None))
    except Exception as problem:  # noqa: BLE001  (it is raised for the caller)
        problem.add_note(format_exc())
        return ForkingPickler.dumps((None, problem))


def prepare(modules: Sequence[str], initializer: Callable[[], None] | None = None) -> None:
    """Import modules and call the initializer: this is each worker's first call."""
    for module in modules:
        import_module(module)
    if initializer is not None:
        initializer()


def close(process: Process) -> None:
    """End a process, wait a moment for its end, and close this end of its pipe."""
    process.kill()
    end = monotonic() + END_SECONDS
    with suppress(EOFError, OSError):
        while process.pipe.poll(max(0.0, end - monotonic())):
            process.pipe.recv_bytes()
    process.pipe.close()
