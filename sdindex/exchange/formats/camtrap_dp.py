"""A sample as the table ``media.csv`` of Camtrap DP 1.0.2; its deployments are the cameras."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import IO

from sdindex.archive.names import printable
from sdindex.errors import OutputError, UsageError
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled
from sdindex.exchange.tables import write_csv

# https://camtrap-dp.tdwg.org/data/#media, version 1.0.2: all columns, in their order.
_MEDIA = (
    "mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName",
    "fileMediatype", "exifData", "favorite", "mediaComments",
)  # fmt: skip
# The pattern of ``filePath`` there.
_FILE_PATH = re.compile(r"^(?=^[^./~])(^((?!\.{2}).)*$).*$")
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a row for each image; nothing is written where the schema would refuse a row."""
    if wishes.utc_offset is None:
        raise OutputError(
            "Camtrap DP wants times with their offset from UTC, which EXIF times do not have; "
            "give that of the cameras' clocks, such as --utc-offset +01:00"
        )
    naming = Naming.of(images)
    _refuse(
        images,
        lambda image: image.path if image.taken_at is None else None,
        "Camtrap DP wants a time for each image, and {count} no EXIF time ({first}); "
        "leave them out: sdindex select --since 0001-01-01 (of a saved sample: --within NAME, too)",
    )
    _refuse(
        images,
        lambda image: None if _is_media_path(naming.path(image)) else naming.path(image),
        "Camtrap DP allows no path that begins with . / or ~, or has two dots in a row, a line "
        "break, or what is no Unicode, and {count} such a path ({first}); rename it",
    )
    write_csv(_MEDIA, _rows(images, naming, wishes.utc_offset), output, for_people=False)


def parse_utc_offset(text: str) -> timezone:
    """Return an offset from UTC such as ``+02:00``, ``-0530`` or ``Z``.

    Raises
    ------
    UsageError
        When it is none, or not of whole minutes.
    """
    try:
        offset = datetime.strptime(text, "%z").utcoffset()
    except ValueError as problem:
        raise UsageError(f"{text!r} is no offset from UTC, such as +02:00 or -0530") from problem
    if offset is None or offset.total_seconds() % 60:
        raise UsageError(f"{text!r} is no offset of whole minutes from UTC, such as +02:00")
    return timezone(offset)


def _rows(
    images: Collection[Sampled], naming: Naming, utc_offset: timezone
) -> Iterator[tuple[object, ...]]:
    for image in images:
        path = naming.path(image)
        name = PurePosixPath(path)
        yield (
            path, naming.camera(image), None, _zoned(image.taken_at, utc_offset), path, "false",
            name.name, _MEDIA_TYPES[name.suffix.lower()], None, None, _event(image, naming),
        )  # fmt: skip


def _event(image: Sampled, naming: Naming) -> str | None:
    """Return the event as a comment: only the observations of Camtrap DP have a field for it."""
    if image.event is None:
        return None
    return f"eventID={naming.path_of(image.archive, image.event)}"


def _refuse(
    images: Collection[Sampled], offence: Callable[[Sampled], str | None], line: str
) -> None:
    """Refuse the sample where an image offends; the line says how many do, and names the first."""
    offences, first = 0, ""
    for image in images:
        found = offence(image)
        if found is not None:
            first = first if offences else found
            offences += 1
    if offences:
        count = f"{offences:,} {'has' if offences == 1 else 'have'}"
        named = f"{'' if offences == 1 else 'the first: '}{printable(first)}"
        raise OutputError(line.format(count=count, first=named))


def _is_media_path(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return _FILE_PATH.search(path) is not None


def _zoned(time: datetime | None, utc_offset: timezone) -> str | None:
    return time.replace(tzinfo=utc_offset).isoformat(timespec="seconds") if time else None
