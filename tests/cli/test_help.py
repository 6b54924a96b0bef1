"""The command help, and the reference that is made from the commands."""

import sys

import pytest
from click.testing import CliRunner

from sdindex.cli import topics
from sdindex.cli.main import cli
from sdindex.cli.reference import reference
from tests.conftest import CHECKOUT


def shown(*words: str) -> str:
    result = CliRunner().invoke(cli, ["help", *words])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_every_topic_is_listed_with_its_title_and_shown_as_it_is() -> None:
    listed = shown()
    files = sorted((CHECKOUT / "sdindex" / "help").glob("*.md"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        assert any(line.split(maxsplit=1) == [file.stem, title] for line in listed.splitlines())
        assert shown(file.stem) == text


@pytest.mark.parametrize("words", [["select"], ["labels"], ["labels", "import"]])
def test_a_command_is_a_topic_too(words: list[str]) -> None:
    asked = CliRunner().invoke(cli, [*words, "--help"], prog_name="sdindex").stdout
    told = CliRunner().invoke(cli, ["help", *words], prog_name="sdindex").stdout
    assert asked == told


@pytest.mark.parametrize("words", [["nothing"], ["select", "nothing"], ["../help/reference"], [""]])
def test_what_is_no_topic_is_one_line(words: list[str]) -> None:
    result = CliRunner().invoke(cli, ["help", *words])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "sdindex help" in result.stderr


def test_on_a_terminal_a_topic_is_laid_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(topics, "topic", lambda _: "# Title\n\nSome **bold** text.\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    cli.main(["help", "reference"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "bold" in out
    assert "**" not in out


def test_the_reference_is_not_stale() -> None:
    stored = (CHECKOUT / "sdindex" / "help" / "reference.md").read_text(encoding="utf-8")
    assert stored == reference(), "make it anew with scripts/readme"


def test_the_first_sentence_of_each_help_fits_into_the_list() -> None:
    assert "..." not in reference().replace("[ARGS]...", "").replace("[PATH]...", "").replace(
        "SHARD...", ""
    )
