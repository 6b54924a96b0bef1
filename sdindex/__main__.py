"""Run the command line as `python -m sdindex`."""

from sdindex.cli import cli

if __name__ == "__main__":
    cli(prog_name="sdindex")
