"""The command help: it shows a topic of sdindex/help, or the help of a command."""

import sys
from typing import TYPE_CHECKING

import click

from sdindex.errors import UsageError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_ENDING = ".md"


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC]")
@click.pass_context
def show_help(ctx: click.Context, *, words: tuple[str, ...]) -> None:
    """List the topics of help, or show one TOPIC. A command is a topic, too."""
    if not words:
        _write(_listed())
    elif len(words) == 1 and words[0] in topics():
        _show(topic(words[0]))
    else:
        _write(_help_of(ctx.find_root(), words))


def topics() -> dict[str, str]:
    """Return the title of each topic, by its name, in the order of the names."""
    return {name: topic(name).partition("\n")[0].lstrip("# ") for name in sorted(_names())}


def topic(name: str) -> str:
    """Return the text of a topic, in Markdown."""
    return (_folder() / f"{name}{_ENDING}").read_text(encoding="utf-8")


def _folder() -> "Traversable":
    from importlib.resources import files

    return files("sdindex") / "help"


def _names() -> list[str]:
    names = [file.name for file in _folder().iterdir()]
    return [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]


def _listed() -> str:
    titles = topics()
    width = max(map(len, titles))
    lines = [f"  {name.ljust(width)}  {title}" for name, title in titles.items()]
    return "\n".join(["Topics:", *lines, "", "Show one with: sdindex help TOPIC", ""])


def _help_of(ctx: click.Context, words: tuple[str, ...]) -> str:
    """Return the help of a command, which is named by one word or by two."""
    for word in words:
        group = ctx.command
        found = group.get_command(ctx, word) if isinstance(group, click.Group) else None
        if found is None:
            raise UsageError(
                f"there is no topic or command {' '.join(words)!r}; list the topics with: "
                "sdindex help"
            )
        ctx = click.Context(found, ctx, info_name=word)
    return ctx.command.get_help(ctx) + "\n"


def _show(markdown: str) -> None:
    if sys.stdout is None or not sys.stdout.isatty():
        _write(markdown)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(markdown))


def _write(text: str) -> None:
    from sdindex.exchange.output import STDOUT, writing

    with writing(STDOUT) as stdout:
        stdout.write(text.encode("utf-8"))
