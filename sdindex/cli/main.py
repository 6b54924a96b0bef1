"""The command line's one entry: the group of all commands, and errors as lines for people."""

from typing import Any

import click

from sdindex.arguments import DEFAULT_INDEX
from sdindex.cli import alike, archives, ask, labels, look, review, samples, topics
from sdindex.cli.failures import FAILURES, explained
from sdindex.cli.interrupts import exit_status, interruptible


class Commands(click.Group):
    """Turn every error into a line for the user and an exit status, here and nowhere else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people come to need them."""
        return list(self.commands)

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


for command in (
    archives.index,
    archives.merge,
    samples.select,
    review.review,
    look.report,
    look.buckets,
    look.quality,
    look.cameras,
    alike.similar,
    alike.duplicates,
    samples.samples,
    labels.labels,
    ask.status,
    ask.errors,
    ask.sql,
    archives.relocate,
    archives.prune,
    archives.copy,
    topics.show_help,
):
    cli.add_command(command)
