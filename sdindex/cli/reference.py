"""The text of the topic reference: the help of every command."""

from collections.abc import Iterator

import click

from sdindex.cli.main import cli

_WIDTH = 80  # columns
_HEAD = """# Reference: every command and its options

What `sdindex COMMAND --help` shows. Data goes to stdout, everything else to stderr. Exit status:
0 done; 1 an error, said in one line; 2 wrong usage; 130 interrupted.
"""


def reference() -> str:
    """Return the help of all commands as one text in Markdown."""
    root = cli.make_context("sdindex", ["--help"], resilient_parsing=True, terminal_width=_WIDTH)
    return "\n".join([_HEAD, *_sections(root)])


def _sections(ctx: click.Context) -> Iterator[str]:
    yield f"## {ctx.command_path}\n\n```text\n{ctx.command.get_help(ctx)}\n```\n"
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            if command := ctx.command.get_command(ctx, name):
                yield from _sections(click.Context(command, ctx, info_name=name))
