"""Where the program begins: `sdindex`, or `python -m sdindex`.

Every process that reads images runs the program's first lines once more, so that nothing is
imported by them.
"""


def main() -> None:
    """Run the command line."""
    from sdindex.cli import cli

    cli(prog_name="sdindex")


if __name__ == "__main__":
    main()
