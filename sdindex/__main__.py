"""Where the program begins: `sdindex`, or `python -m sdindex`.

Every process that reads images runs the program's first lines once more, so that nothing of
ours is imported by them.
"""

import gc
import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        from sdindex.cli.main import cli

        cli(prog_name="sdindex")
    # Before any command of ours runs:
    except OSError as problem:
        sys.exit(f"Error: {problem}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        _flush()
        gc.freeze()  # a fifth of a `select` was a search for garbage in what ends anyway


def _flush() -> None:
    """Have a stream that failed, as was said then, not fail once more when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:  # from the start, or by whoever read it
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
