"""Where the program begins: `sdindex`, or `python -m sdindex`.

Every process that reads images runs these first lines, too, so they import nothing of ours.
"""

import gc
import os
import sys

# A command makes millions of small objects and hardly a cycle, so garbage is searched for rarely.
_GC_THRESHOLDS = (200_000, 20, 20)
# CPython's own texts where an import runs out of memory: it has no exception class for these.
OUT_OF_MEMORY = ("error return without exception set", "NULL without setting an exception")


def main() -> None:
    """Run the command line."""
    _import_nothing_from_here()
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.unraisablehook = _all_but_too_little_memory
    # Numpy would start a thread for each processor: they do nothing here and cost time and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import logging

        from sdindex.cli.interrupts import INTERRUPTED, TERMINATED
        from sdindex.cli.main import cli

        # It logs a traceback when it tidies up after an error, and the error is reported by itself.
        for name in ("sqlalchemy.pool", "psycopg"):  # what these warn of is raised as an error, too
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            cli(prog_name="sdindex")
        except SystemExit as end:
            if end.code in (INTERRUPTED, TERMINATED):
                _end_at_once(end.code)
            raise
    # Before any command of ours runs:
    except (OSError, ImportError) as problem:
        sys.exit(f"Error: {problem}")
    except (MemoryError, SystemError) as problem:
        if not (isinstance(problem, MemoryError) or str(problem).endswith(OUT_OF_MEMORY)):
            raise
        sys.exit("Error: there is too little memory to start")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        _flush()
        gc.freeze()  # else a fifth of a `select` is a search for garbage


def _import_nothing_from_here() -> None:
    """Take the current folder off the path of imports: it may be a memory card.

    ``python -m`` puts it in front, and an empty entry of PYTHONPATH among the first. This module
    and ``sdindex/__init__.py`` import nothing that Python has not imported before. Modules that
    Python itself imports first may still come from there; only its option -P prevents that.
    """
    try:
        here = {"", os.getcwd()}
    except OSError:  # the folder is gone
        here = {""}
    if sys.path[:1] and sys.path[0] in here and not sys.flags.safe_path:
        del sys.path[0]
    if "" in (os.environ.get("PYTHONPATH") or "unset").split(os.pathsep):
        sys.path[:] = [entry for entry in sys.path if entry not in here]
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if ours not in sys.path:  # run from a copy that is not installed, by whoever is in it
        sys.path.append(ours)


def _all_but_too_little_memory(what: "sys.UnraisableHookArgs", /) -> None:
    """Report an error that cannot be raised, unless it is a lack of memory: one line says that."""
    if not issubclass(what.exc_type, MemoryError):
        sys.__unraisablehook__(what)


def _end_at_once(status: int) -> None:
    """End an interrupted command, which has tidied up, without waiting for its threads.

    One of them may wait for a store that hangs, for as long as that may take to answer.
    """
    _flush()
    os._exit(status)


def _flush() -> None:
    """Flush a stream, and close one that failed: it would fail once more when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:  # closed from the start, or by its reader
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
