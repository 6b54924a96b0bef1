"""The commands on samples, and what they name in their messages."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from sdindex.cli.main import cli
from tests.conftest import CHECKOUT
from tests.support.commands import commands_of, run


def options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for inner in commands_of(command).values():
            yield from options(inner)


def test_no_message_names_an_option_that_there_is_not() -> None:
    known = {*options(cli), "--help", "--version", "--upgrade"}  # the last is pip's
    for file in (CHECKOUT / "sdindex").rglob("*.py"):
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", file.read_text(encoding="utf-8")))
        assert named <= known, file


def test_show_names_the_command_that_has_the_option(db: Path, archive: Path) -> None:
    run("index", "-q", archive, db=db)
    run("select", "-n", 3, "--save", "spring", db=db)
    asked = ("--format", "camtrap-dp", "--utc-offset", "Z", "-o", archive.parent / "dp")
    said = run("samples", "show", "spring", *asked, db=db).stderr
    assert said.startswith("Error: ")
    show, select = (set(options(commands_of(cli)[name])) for name in ("samples", "select"))
    for option in re.findall(r"--[a-z-]+", said):
        assert option in (select if "sdindex select" in said else show)


def test_since_after_until_is_one_line(db: Path, archive: Path) -> None:
    run("index", "-q", archive, db=db)
    done = run("select", "-n", 3, "--since", "2021-01-02", "--until", "2021-01-01", db=db)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: --since 2021-01-02 is after --until 2021-01-01: no time lies between them\n"
    )
    same = run("select", "-n", 3, "--since", "2021-01-02", "--until", "2021-01-02", db=db)
    assert same.exit_code == 0


def test_an_option_of_bursts_without_bursts_is_one_line(db: Path, archive: Path) -> None:
    run("index", "-q", archive, db=db)
    for option in (("--show", "first"), ("--burst-seconds", 5), ("--event-minutes", 5)):
        for more in ((), ("--format", "megadetector"), ("--unit", "image", "--for", "labelling")):
            done = run("select", "-n", 3, *option, *more, db=db)
            assert (done.exit_code, done.stdout) == (1, ""), option
            assert f"Error: {option[0]} is for " in done.stderr
            assert "give --unit " in done.stderr
        wanted = run("select", "-n", 3, *option, "--for", "labelling", "--unit", "event", db=db)
        assert wanted.exit_code == 0
    for command in ("quality", "report"):
        assert run(command, "-n", 3, "--show", "first", db=db).exit_code == 1
    assert run("select", "-n", 3, "--burst-seconds", 5, "--format", "csv", db=db).exit_code == 0
    assert run("select", "-n", 3, "--burst-seconds", 5, "--save", "it", db=db).exit_code == 0
    assert run("quality", "-n", 3, "--burst-seconds", 5, db=db).exit_code == 0


def test_what_is_excluded_is_a_sample_or_a_file(db: Path, archive: Path) -> None:
    run("index", "-q", archive, db=db)
    run("select", "-n", 3, "--save", "spring", db=db)
    done = run("select", "-n", 3, "--exclude", "none", db=db)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: --exclude: there is neither a saved sample nor a file named none; the saved "
        "samples are: spring; to exclude nothing, leave it out\n"
    )


def test_an_error_names_an_option_as_it_is_typed(db: Path, archive: Path) -> None:
    run("index", "-q", archive, db=db)
    for words, said in (
        ("--burst-seconds 5", "--burst-seconds is for bursts and events: give --unit burst or"),
        ("--at-most 5", "--at-most limits each stratum: give --balance, too, such as camera"),
        ("--order left", "--order must be top, centre, even, or numbers of bits"),
        ("--order 1,2", "--order has 2 bits, fewer than --bits asks for: 4"),
        ("--balance colour", "--balance is camera, label, label:RANK"),
        ("--share deer=20%", "--share is KIND:NAME=PERCENT%"),
        ("--exclude no-such", "--exclude: there is neither a saved sample nor a file"),
        ("--url-prefix x --format cvat", "--url-prefix is for label-studio, not for cvat"),
        ("--format camtrap-dp -o dp", "give it with --utc-offset, such as +01:00"),
    ):
        done = run("select", "-n", 3, *words.split(), db=db)
        assert (done.exit_code, done.stdout) == (2 if "--format" in words else 1, ""), words
        assert said in done.stderr
    both = run("index", "--strict", "--accept-shift", archive, db=db)
    assert "--strict compares what changes with every shift: not with --accept-shift" in both.stderr
    every = run("index", "--accept-loss", "--camera-pattern", "x", db=db)
    assert "Error: --camera-pattern, --exclude, --shard and --accept-loss are " in every.stderr
