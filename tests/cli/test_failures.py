"""What fails outside the program is one line; what is a fault of the program is not hidden."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sdindex import Index
from tests.conftest import make_image
from tests.support.commands import run

LACKS = [
    (MemoryError(), "there is too little memory"),
    (SystemError("error return without exception set"), "there is too little memory"),
    (RuntimeError("can't start new thread"), "starts no further thread"),
    (ImportError("IMPORTANT:\n\n x.so: failed to map segment"), "(x.so: failed to map segment)"),
]


@pytest.mark.parametrize(("problem", "said"), LACKS)
def test_what_a_machine_lacks_is_one_line(
    problem: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Index) -> None:
        raise problem

    monkeypatch.setattr(Index, "status", failing)
    result = run("status")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert said in result.stderr


@pytest.mark.parametrize(
    "fault", [RuntimeError("dictionary changed"), SystemError("x"), KeyError()]
)
def test_a_fault_of_the_program_is_not_hidden(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Index) -> None:
        raise fault

    monkeypatch.setattr(Index, "status", failing)
    assert run("status").exception is fault


@pytest.mark.skipif(sys.platform != "linux", reason="no such limit there")
@pytest.mark.parametrize("megabytes", [45, 60, 90])  # Python itself wants 30
@pytest.mark.parametrize("command", ["status", "quality -n 3", "report -n 3 -o page.html"])
def test_with_little_memory_there_is_no_traceback(
    command: str, megabytes: int, made: Path, tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "sdindex", "--db", str(made), *command.split()]
    done = subprocess.run(
        ["sh", "-c", f'ulimit -v {megabytes * 1000}; exec "$@"', "sh", *program],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


STARTING = """
import sys, types
class Module(types.ModuleType):
    def __getattr__(self, name):
        raise SystemError("<built-in> " + sys.argv[1])
sys.modules["sdindex.cli.main"] = Module("sdindex.cli.main")
from sdindex.__main__ import main
main()
"""


def test_an_import_that_runs_out_of_memory_is_one_line_and_another_fault_is_not_hidden() -> None:
    for text, said in (
        ("returned NULL without setting an exception", "too little memory to start\n"),
        ("is broken", "SystemError: <built-in> is broken\n"),
    ):
        program = [sys.executable, "-c", STARTING, text]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.endswith(said)) == (1, True)
        assert (done.stderr.count("\n") == 1) == ("memory" in said)


DRAFTS = """
import sys
from sdindex.exchange import output
new_file = output.new_file
def looked_at(path):
    print("numpy" in sys.modules, "sdindex.pages.report" in sys.modules, file=sys.stderr)
    return new_file(path)
output.new_file = looked_at
sys.argv[0] = "sdindex"
from sdindex.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("command", "loaded"),
    [("select -n 3 --unit burst -o list.txt", "True F"), ("report -n 3", "True True")],
)
def test_a_library_that_ends_the_program_while_it_is_loaded_leaves_no_draft(
    command: str, loaded: str, made: Path, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", DRAFTS, "--db", str(made), *command.split()]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert loaded in done.stderr


CLEANING = """
import sys
from sdindex import Index
def status(index):
    import logging
    try:
        raise MemoryError
    except MemoryError:
        pool = logging.getLogger("sqlalchemy.pool.impl.QueuePool")
        pool.error("Exception during reset", exc_info=True)
    class Cleaned:
        def __del__(self):
            raise {problem}
    Cleaned()
    raise MemoryError
Index.status = status
sys.argv[1:] = ["--db", "{db}", "status"]
from sdindex.__main__ import main
main()
"""


@pytest.mark.parametrize("problem", ["MemoryError", "KeyError"])
def test_what_fails_while_an_error_is_tidied_up_after_is_not_told_beside_it(
    problem: str, made: Path
) -> None:
    program = [sys.executable, "-c", CLEANING.format(problem=problem, db=made)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) == (problem == "KeyError"), "a fault is not hidden"
    assert done.stderr.endswith(
        "Error: there is too little memory; what was stored before is kept\n"
    )
    assert "reset" not in done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, db_in: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("little")
    for seed in range(4):
        make_image(folder / "archive" / f"{seed}.jpg", seed, size=(64, 48))
    db = db_in(folder)
    with Index(db) as index:
        index.update(folder / "archive")
    return db
