"""What is shown of what takes long: on a terminal alone, and wiped off before anything else."""

import io
import time
from contextlib import redirect_stderr

import pytest

from sdindex.progress import elapsed


class Terminal(io.StringIO):
    """What a terminal would show."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True

    @property
    def line(self) -> str:
        """The line that the cursor is in, as it is seen."""
        return self.getvalue().rstrip("\r").rpartition("\r")[2].strip()


def wait_for(terminal: Terminal, text: str) -> None:
    for _ in range(3000):
        if text in terminal.getvalue():
            return
        time.sleep(0.01)
    pytest.fail(f"{text!r} was not shown")


def test_how_long_something_takes_is_shown_until_it_ends() -> None:
    with redirect_stderr(Terminal()) as terminal:
        with elapsed("drawing", delay=0):
            wait_for(terminal, "drawing: 00:0")
            assert terminal.line.startswith("drawing: 00:0")
        assert terminal.line == ""


def test_it_is_wiped_off_for_a_line_and_does_not_come_back() -> None:
    with redirect_stderr(Terminal()) as terminal:
        with elapsed("drawing", delay=0) as stop:
            wait_for(terminal, "drawing")
            assert stop is not None
            stop()
            assert terminal.line == ""
            shown = terminal.getvalue()
        assert terminal.getvalue() == shown


def test_it_is_wiped_off_when_something_fails() -> None:
    with redirect_stderr(Terminal()) as terminal:

        def fail() -> None:
            with elapsed("drawing", delay=0):
                wait_for(terminal, "drawing")
                raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            fail()
        assert terminal.line == ""


def test_what_ends_at_once_shows_nothing() -> None:
    with redirect_stderr(Terminal()) as terminal:
        with elapsed("drawing", delay=60):
            pass
        assert terminal.getvalue() == ""


def test_nothing_is_shown_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    with elapsed("drawing", delay=0) as stop:
        assert stop is None
    assert capsys.readouterr().err == ""
