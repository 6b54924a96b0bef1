"""Where the program begins: `sdindex`, or `python -m sdindex`.

Every process that reads images runs the program's first lines once more, so that nothing of
ours is imported by them.
"""

import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        from sdindex.cli import cli

        cli(prog_name="sdindex")
    except SystemExit as end:
        if isinstance(end.code, int):
            _end(end.code)
        raise
    # Before any command of ours runs:
    except OSError as problem:
        sys.exit(f"Error: {problem}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _end(status: int) -> None:
    """End the process as it is: a fifth of a `select` went into taking its modules apart."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:  # as it may be from the start
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
