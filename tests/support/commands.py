"""Commands, run in this process or by a shell."""

import os
import subprocess
from pathlib import Path

import click
from click.testing import CliRunner, Result

from sdindex.cli.main import cli


def run(*arguments: object, db: Path | None = None) -> Result:
    """Run a command of the program, as if it were typed."""
    place = ["--db", str(db)] if db else []
    return CliRunner().invoke(cli, [*place, *map(str, arguments)])


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with what Python does unasked: its output is buffered."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=ours
    )


def commands_of(group: click.Group) -> dict[str, click.Command]:
    """Return all commands of a group, by their names."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command}
