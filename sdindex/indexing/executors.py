"""Executors: those that take file by file, and what those of the caller's may not do."""

import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import machinery, metadata
from pathlib import Path
from typing import Any

from sdindex.archive.names import printable
from sdindex.errors import UsageError


class FileByFile(Executor):
    """An executor that takes each file by itself, as `read_image` is called.

    It has the files in batches, or looks up what was read of them; or a test watches what is
    opened. All others are given batches: see `sdindex.indexing.batches`.
    """


class Threads(ThreadPoolExecutor, FileByFile):
    """Threads of this process that read files themselves, and no process of the program's own."""


def refuse_to_run_modules_here(executor: Executor) -> None:
    """Refuse Python's own pool of processes where these would run what lies in this folder.

    Unless they are forked, they start by ``python -c``, which looks for modules in the current
    folder first: on a memory card, say, with a ``queue.py`` on it.

    Raises
    ------
    UsageError
        When it would run a file.
    """
    if sys.flags.safe_path or not isinstance(executor, ProcessPoolExecutor):
        return
    context: Any = getattr(executor, "_mp_context", None)  # there is no other way to ask it
    if context is not None and context.get_start_method() == "fork":
        return
    module = _module_here()
    if module is not None:
        raise UsageError(
            f"the processes of a ProcessPoolExecutor would run {printable(module)}: start Python "
            "with -P, or in another folder"
        )


def _module_here() -> str | None:
    """Return a file of the current folder that has the name of a module that is installed."""
    try:
        names = sorted(os.listdir())
    except OSError:  # the folder was removed
        return None
    ours = Path(__file__).absolute().parents[2]  # where this program lies
    suffixes = tuple(machinery.all_suffixes())
    found = {
        name.partition(".")[0]: os.path.abspath(name)
        for name in names
        if name.endswith(suffixes)
        or any(os.path.isfile(os.path.join(name, f"__init__{suffix}")) for suffix in suffixes)
    }
    if not found or ours == Path.cwd():
        return None
    installed = {"sdindex", *sys.stdlib_module_names, *metadata.packages_distributions()}
    return next((found[name] for name in found if name in installed), None)
