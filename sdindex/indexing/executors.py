"""Executors that take single files; and a check of the caller's executors."""

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

    It makes batches of them itself, looks up what was read, or belongs to a test. All other
    executors are given batches: see `sdindex.indexing.batches`.
    """


class Threads(ThreadPoolExecutor, FileByFile):
    """Threads of this process that read files themselves, without processes."""


def refuse_to_run_modules_here(executor: Executor) -> None:
    """Refuse Python's ProcessPoolExecutor if its processes would import from this folder.

    Unless forked, they start by ``python -c``, which looks for modules in the current folder first;
    that may be a memory card with a ``queue.py`` on it.

    Raises
    ------
    UsageError
        When it would.
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
    """Return a file in the current folder with the name of an installed module; or None."""
    try:
        names = sorted(os.listdir())
    except OSError:  # the folder was removed
        return None
    ours = Path(__file__).absolute().parents[2]  # this program itself lies there
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
