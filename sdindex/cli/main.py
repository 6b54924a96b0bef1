"""The command line's entry: all commands, and every error as one line for the user."""

from pkgutil import resolve_name
from typing import Any

import click

from sdindex.arguments import DEFAULT_INDEX
from sdindex.cli.failures import FAILURES, explained
from sdindex.cli.interrupts import exit_status, interruptible

_COMMANDS = {  # in the order in which people need them
    "index": "archives:index",
    "merge": "archives:merge",
    "select": "samples:select",
    "review": "review:review",
    "report": "look:report",
    "buckets": "look:buckets",
    "quality": "look:quality",
    "cameras": "look:cameras",
    "similar": "alike:similar",
    "duplicates": "alike:duplicates",
    "samples": "samples:samples",
    "labels": "labels:labels",
    "status": "ask:status",
    "errors": "ask:errors",
    "sql": "ask:sql",
    "relocate": "archives:relocate",
    "prune": "archives:prune",
    "copy": "archives:copy",
    "help": "topics:show_help",
}


class Commands(click.Group):
    """Turn every error into a line for the user and an exit status, here and nowhere else.

    Only the command that is run is imported: making the options of all commands takes as long as
    drawing a sample.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of the name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = resolve_name(f"sdindex.cli.{_COMMANDS[cmd_name]}")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with interruptible():
                return super().invoke(ctx)
        except FAILURES as problem:
            line = explained(problem)
            if line is None:
                raise
            raise click.ClickException(line) from problem
        except KeyboardInterrupt as problem:
            click.echo("interrupted; what was stored is kept, and the next run goes on", err=True)
            ctx.exit(exit_status(problem))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--db",
    envvar="SDINDEX_DB",
    default=DEFAULT_INDEX,
    show_default=True,
    metavar="FILE_OR_URL",
    help="Use this index: a file, or a postgresql:// URL. [env: SDINDEX_DB]",
)
@click.version_option(package_name="sdindex")
@click.pass_context
def cli(ctx: click.Context, db: str) -> None:
    """Index a camera-trap archive once, then draw a varied sample of any size at once.

    Start with: sdindex index FOLDER, then sdindex select -n 500. Read on with: sdindex help
    """
    ctx.obj = db
