"""Reading large JSON files piece by piece: one piece at a time is in memory, of bounded size."""

import codecs
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

MOST = 1 << 23  # characters of a piece
_CHUNK = 1 << 20  # bytes read at once
_NEAR = 16  # characters at the end of what was read, in which a word or number may be cut short
_CUT_OFF = 2  # characters within which a number may go on, such as the e+ of 1e+3

_space = re.compile(r"[ \t\n\r]*")
_comma = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")


class JsonError(ValueError):
    """A file that is no JSON, or has a piece too large or too deeply nested to be read."""


class _TooLongError(JsonError):
    """A piece that is longer than allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"a piece of it is longer than {most:,} characters")


@dataclass
class Others:
    """Collects the small members of an object that are neither wanted nor known.

    Attributes
    ----------
    known
        The names of members to skip.
    most
        How many characters are kept of all together, at most.
    found
        The collected members by name.
    left
        The names of members that were too long.
    """

    known: Container[str]
    most: int
    found: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def pieces(
    file: IO[bytes],
    wanted: Container[str] = (),
    *,
    required: str | None = None,
    others: Others | None = None,
) -> Iterator[tuple[str, Any]]:
    """Yield the elements of a list, or of the wanted lists in an object, as they come.

    Each comes with the name of its list: empty where the file is a list. A wanted member that is no
    list comes whole; all other members are skipped.

    Parameters
    ----------
    file
        Open at its start; UTF-8.
    wanted
        The names of members, where the file is an object.
    required
        The name of a member that the object must have.
    others
        Collects skipped members.

    Raises
    ------
    JsonError
        Where the file ends too early, is no JSON or no UTF-8, or lacks what is required, or
        where a piece of it is nested deeper than Python goes, or longer than 8 million characters.
    """
    text = _Text(file)
    match text.peek():
        case "[":
            for element in text.elements():
                yield "", element
        case "{":
            yield from _members(text, wanted, required, others)
        case "":
            raise JsonError("it is empty")
        case _:
            raise JsonError("it is neither a list nor an object")
    if text.peek():
        raise JsonError("something follows what should be all of it")


def _members(
    text: "_Text", wanted: Container[str], required: str | None, others: Others | None
) -> Iterator[tuple[str, Any]]:
    missing = required
    for name in text.names():
        missing = None if name == required else missing
        if name not in wanted:
            if others is None or name in others.known:
                text.skip()
            else:
                _keep(text, name, others)
        elif text.peek() == "[":
            for element in text.elements():
                yield name, element
        else:
            yield name, text.value()
    if missing is not None:
        raise JsonError(f'it has no "{missing}"')


def _keep(text: "_Text", name: str, others: Others) -> None:
    """Take the next value, or skip it if it is too long."""
    text.peek()
    try:
        value = text.value(others.most - len(name))
    except _TooLongError:
        others.left.append(name)
        text.skip()
    else:
        others.most -= len(name) + len(json.dumps(value))
        others.found[name] = value


class _Text:
    """The text of a file, read as far as needed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._bytes_to_text = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder(parse_constant=_no_number).raw_decode

    def peek(self) -> str:
        """Return the next character that is no space, without taking it; empty at the end."""
        while True:
            match = _space.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read(_CHUNK)

    def elements(self) -> Iterator[Any]:
        """Yield each element of the next value, a list."""
        for _ in self._between("[", "]"):
            yield self.value()

    def names(self) -> Iterator[str]:
        """Yield each name in the next value, an object; the caller takes the values."""
        for _ in self._between("{", "}"):
            if self.peek() != '"':
                raise self._problem(self._at)
            name = self.value()
            self._take(":")
            yield name

    def skip(self) -> None:
        """Skip the next value, however many elements it has."""
        match self.peek():
            case "[":
                for _ in self.elements():
                    pass
            case "{":
                for _ in self.names():
                    self.peek()
                    self.value()
            case _:
                self.value()

    def value(self, most: int | None = None) -> Any:
        """Return the next value; spaces before it must be taken: see `peek`.

        A value of more than `most` characters, by default `MOST`, is not taken.
        """
        size, most = _CHUNK, MOST if most is None else most
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as problem:
                if self._ended or not self._is_cut_short(problem):
                    raise self._problem(problem.pos) from problem
            except RecursionError as problem:
                raise JsonError("it is nested too deeply") from problem
            except JsonError:
                raise
            except ValueError as problem:  # thousands of digits
                raise JsonError("a number in it is too long") from problem
            else:
                is_whole = end + _CUT_OFF < len(self._text) or self._ended
                if is_whole and end - self._at <= most:
                    self._at = end
                    return value
            if len(self._text) - self._at > most:
                raise _TooLongError(most)
            self._read(size)
            size *= 2

    def _between(self, start: str, end: str) -> Iterator[None]:
        self._take(start)
        if self.peek() == end:
            self._at += 1
            return
        while True:
            yield
            comma = _comma.match(self._text, self._at)
            if comma and comma.end() < len(self._text):  # as nearly always
                self._at = comma.end()
                continue
            if self.peek() == end:
                self._at += 1
                return
            self._take(",")
            self.peek()

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._problem(self._at)
        self._at += 1

    def _is_cut_short(self, problem: json.JSONDecodeError) -> bool:
        is_string = problem.msg.startswith("Unterminated string")
        return is_string or problem.pos > len(self._text) - _NEAR

    def _problem(self, at: int) -> JsonError:
        near = self._text[at : at + 40]
        return JsonError(f"it is no JSON at {near!r}" if near else "it ends too early")

    def _read(self, size: int) -> None:
        content = self._file.read(size)
        self._ended = not content
        try:
            more = self._bytes_to_text.decode(content, final=self._ended)
        except UnicodeDecodeError as problem:
            raise JsonError("it is no UTF-8") from problem
        self._text, self._at = self._text[self._at :] + more, 0


def _no_number(name: str) -> float:
    raise JsonError(f"{name} is no number in JSON")
