"""What must never be in the code, as far as import-linter (see pyproject.toml) cannot hold it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

PACKAGE = CHECKOUT / "sdindex"
REVISIONS = sorted((CHECKOUT / "migrations" / "versions").glob("*.py"))
LARGEST_FUNCTION, LARGEST_FILE = 45, 400  # lines

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> Iterator[Path]:
    """Yield the files of Python in some folders, the scripts without a suffix, too."""
    for folder in folders:
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.suffix == ".py" or (path.is_file() and path.parent.name == "scripts"):
                yield path


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls, with the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Return all calls of a file, found once for all tests."""
    return list(called(parsed(path)))


def named(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("path", [*REVISIONS, CHECKOUT / "migrations" / "env.py"], ids=named)
def test_a_revision_does_tomorrow_what_it_did_when_it_was_written(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "."]
        assert not [name for name in modules if name.split(".")[0] in ("sdindex", "tests", "")]


def lines_of(function: Function) -> int:
    """Return how many lines it has, without those that say what it does."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return lines


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{named(path)}:{node.lineno} {node.name} {lines_of(node)}"
        for path in sources("sdindex", "scripts", "tests/torture", "tests/bench")
        for node in ast.walk(parsed(path))
        if isinstance(node, Function) and lines_of(node) > LARGEST_FUNCTION
    ]
    assert not long


def test_no_file_is_longer_than_ten_screens() -> None:
    assert not [
        named(path)
        for path in sources("sdindex", "migrations", "scripts", "tests")
        if len(path.read_text(encoding="utf-8").splitlines()) > LARGEST_FILE
    ]


# The two backends and what chooses between them, the types, and the help of the command line.
OF_DATABASES = re.compile(
    r"store/((sqlite|postgresql)(_\w+)?|backends|tables)\.py|cli/(main|archives)\.py"
)


def test_only_a_backend_knows_which_database_it_is() -> None:
    assert not [
        f"{named(path)}:{number} {line.strip()}"
        for path in sources("sdindex")
        if not OF_DATABASES.fullmatch(path.relative_to(PACKAGE).as_posix())
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "postgresql" in line or "sqlite" in line
    ]


def test_a_script_is_a_door() -> None:
    assert not [
        named(path)
        for path in sources("scripts")
        if len(path.read_text(encoding="utf-8").splitlines()) >= 100
    ]


def test_one_module_writes_the_table_of_images() -> None:
    verbs = {"image.insert", "image.update", "image.delete"}
    text = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM) image\b", re.IGNORECASE)
    writers = set()
    for path in sources("sdindex"):
        names = {name.removeprefix("tables.").removesuffix("_table") for name, _ in calls(path)}
        of_image = [
            call
            for name, call in calls(path)
            if name.split(".")[-1] in ("insert", "update", "delete")
            and call.args
            and ast.unparse(call.args[0]) in ("image", "tables.image")
        ]
        if names & verbs or of_image or text.search(path.read_text(encoding="utf-8")):
            writers.add(named(path))
    assert writers == {"sdindex/store/images.py"}


@pytest.mark.parametrize("name", ["os.scandir", "os.listdir", "os.walk", "os.fwalk", "glob.glob"])
def test_folders_are_listed_where_images_are_known_to_be(name: str) -> None:
    """Only in archive/: all others ask a root. (The current folder, not named, is no archive.)"""
    listing = [
        named(path)
        for path in sources("sdindex")
        if any(called_name == name and call.args for called_name, call in calls(path))
    ]
    assert not [path for path in listing if not path.startswith("sdindex/archive/")]


# Modules that open files which are no images, and which.
OPENS = {
    "sdindex/__main__.py": "os.devnull",
    "sdindex/hashing/notes.py": "os.devnull",
    "sdindex/workers.py": "os.devnull",
    "sdindex/exchange/inputs.py": "lists and label files",
    "sdindex/exchange/output.py": "what is written",
    "sdindex/exchange/manifest.py": "what is written",
    "sdindex/exchange/copies.py": "what is written",
    "sdindex/store/locks.py": "the index",
    "sdindex/store/sqlite.py": "the index",
    "sdindex/cli/topics.py": "topics",
    "sdindex/pages/sheet.py": "templates of pages",
    "sdindex/web/app.py": "the files of its page",
    "sdindex/web/cache.py": "thumbnails that it made",
}
OPENING = re.compile(
    r"open|io\.open|os\.(open|stat|lstat)|os\.path\.get\w+|.*\.(stat|lstat|read_bytes|read_text)"
)
OPEN = re.compile(r"file$|head$|BytesIO\(")


def test_images_are_opened_and_looked_at_through_a_root() -> None:
    """What opens files by their names outside archive/ opens others; PIL is given open files."""
    opening, by_name = set(), []
    for path in sources("sdindex"):
        for name, call in calls(path):
            if OPENING.fullmatch(name):
                opening.add(named(path))
            if name == "Image.open" and ast.unparse(call.args[0]) not in ("file", "head"):
                by_name += (
                    [] if "BytesIO(" in ast.unparse(call) else [f"{named(path)}:{call.lineno}"]
                )
    assert {path for path in opening if not path.startswith("sdindex/archive/")} == set(OPENS)
    assert not by_name


# Rooms without a database, and what their tests do without.
PURE = ("tests/archive", "tests/hashing", "tests/sampling")
DATABASE = re.compile(
    r"sdindex\.(api|questions|store|indexing|exchange|pages|cli|smartdownsample)\b.*"
    r"|sdindex\.(Index|sample_diverse)|tests\.(store|indexing|exchange|pages|cli)\b.*"
    r"|sqlalchemy\b.*"
)


@pytest.mark.parametrize("path", [*sources(*PURE)], ids=named)
def test_a_room_without_a_database_is_tested_without(path: Path) -> None:
    imported, asked = set[str](), set[str]()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            asked |= {argument.arg for argument in node.args.args}
    assert not [name for name in imported if DATABASE.fullmatch(name)]
    assert not asked & {"index", "db"}


def test_who_changes_images_or_labels_says_so_to_the_frame() -> None:
    verbs = {"note", "expect", "forget", "forget_cameras", "forget_labels"}
    calling = {
        named(path)
        for path in sources("sdindex")
        for name, _ in calls(path)
        if name.removeprefix("frames.") in verbs and name.startswith("frames.")
    }
    imported = {
        named(path)
        for path in sources("sdindex")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module == "sdindex.store.frames"
        if verbs & {alias.name for alias in node.names}
    }
    making = {
        named(path)
        for path in sources("sdindex")
        for name, _ in calls(path)
        if name == "frames.bring_up_to_date"
    }
    assert calling == {"sdindex/store/images.py", "sdindex/store/labels.py"}
    assert making == {"sdindex/store/images.py"}, "motion comes before"
    assert not imported


# What prints: the command line, and functions of smartdownsample that do.
PRINTS = {"sdindex/__main__.py", "sdindex/smartdownsample/plots.py",
          "sdindex/smartdownsample/shown.py"}  # fmt: skip


def test_only_the_command_line_prints() -> None:
    printing = {
        named(path)
        for path in sources("sdindex")
        if any(name in ("print", "click.echo", "click.secho") for name, _ in calls(path))
    }
    assert {path for path in printing if not path.startswith("sdindex/cli/")} == PRINTS


# A process that is the program's own may be changed: the command line's, and a worker's.
OWN = {"sdindex/__main__.py", "sdindex/cli/interrupts.py"}
OF_A_WORKER = {"take_notes"}  # functions that workers call, and nobody else
CHANGES = re.compile(
    r"gc\.(disable|enable|freeze|set_threshold|collect)|signal\.(signal|pthread_sigmask|set_wakeup_fd"
    r"|siginterrupt)|os\.(putenv|unsetenv|chdir|umask|setpgid|setsid|nice|dup2)|warnings\.(simplefilter"
    r"|filterwarnings|catch_warnings|resetwarnings)|locale\.setlocale|sys\.(setrecursionlimit"
    r"|setswitchinterval|settrace)|faulthandler\.enable|logging\.basicConfig"
)


def changes_of_a_process(path: Path) -> Iterator[str]:
    """Yield what a module does to the process that it runs in."""
    tree = parsed(path)
    for function in ast.walk(tree):
        if isinstance(function, Function) and function.name in OF_A_WORKER:
            function.body = []
    for name, call in called(tree):
        changes_environment = re.fullmatch(r"os\.environ\.(update|pop|setdefault|clear)", name)
        if CHANGES.fullmatch(name) or changes_environment:
            yield f"{named(path)}:{call.lineno} {name}"
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
        for target in targets:
            if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "os.environ":
                yield f"{named(path)}:{target.lineno} os.environ"


def test_the_library_leaves_the_process_of_its_host_as_it_is() -> None:
    library = [path for path in sources("sdindex") if named(path) not in OWN]
    found = [change for path in library for change in changes_of_a_process(path)]
    assert not found


def test_no_exception_is_made() -> None:
    """No contract of import-linter has an exception, and no function is too complex by leave."""
    linter = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    for contract in linter["importlinter"]["contracts"]:
        assert "ignore_imports" not in contract
    for path in sources("sdindex", "migrations", "scripts", "tests"):
        assert "noqa: C9" + "01" not in path.read_text(encoding="utf-8"), path
