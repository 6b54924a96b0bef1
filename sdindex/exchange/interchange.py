"""A sample in the formats that other programs for camera traps read."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import IO, Any, Literal

from sdindex.archive.names import printable
from sdindex.archive.natural import sort_key
from sdindex.errors import OutputError, UsageError
from sdindex.exchange.label_files import EMPTY
from sdindex.exchange.naming import Sampled, archive_names, cameras, places
from sdindex.exchange.tables import write_csv, write_json

InterchangeFormat = Literal["megadetector", "camtrap-dp", "timelapse", "coco"]

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


def write_interchange(
    images: Sequence[Sampled],
    form: InterchangeFormat,
    output: IO[bytes],
    *,
    relative: bool = False,
    utc_offset: timezone | None = None,
) -> None:
    """Write a sample for another program.

    Paths are those that `sdindex.exchange.copies.place` gives the images below a new folder,
    but for `megadetector`, which wants to open them.

    Parameters
    ----------
    form
        ``megadetector``, a JSON list of paths, the input of its ``run_detector_batch``;
        ``camtrap-dp``, the table ``media.csv`` of Camtrap DP 1.0.2, its deployments being
        the cameras; ``timelapse``, a CSV as Timelapse 2 imports it; ``coco``, a database of
        COCO Camera Traps, with the labels as annotations.
    relative
        Relative paths for `megadetector`, too.
    utc_offset
        That of the cameras' clocks, for `camtrap-dp` only: EXIF times do not say it.

    Raises
    ------
    OutputError
        When the format has no place for what would have to be written.
    """
    match form:
        case "megadetector":
            write_json(places(images) if relative else [image.path for image in images], output)
        case "camtrap-dp":
            write_csv(_MEDIA, _media(images, utc_offset), output, for_people=False)
        case "timelapse":
            _write_timelapse(images, output)
        case "coco":
            _write_coco(images, output)


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


def _media(images: Sequence[Sampled], utc_offset: timezone | None) -> Iterator[tuple[object, ...]]:
    """Return the rows of ``media.csv``; nothing is given where the schema would refuse it."""
    if utc_offset is None:
        raise OutputError(
            "Camtrap DP wants times with their offset from UTC, which EXIF times do not have; "
            "give that of the cameras' clocks, such as --utc-offset +01:00"
        )
    placed = places(images)
    _refuse(
        [image.path for image in images if image.taken_at is None],
        "Camtrap DP wants a time for each image, and {count} no EXIF time ({first}); "
        "leave them out with --since 0001-01-01",
    )
    _refuse(
        [path for path in placed if not _is_media_path(path)],
        "Camtrap DP allows no path that begins with . / or ~, or holds two dots in a row, a line "
        "break, or what is no Unicode, and {count} such a path ({first}); rename it",
    )
    return (
        (
            path, camera, None, _zoned(image.taken_at, utc_offset), path, "false",
            PurePosixPath(path).name, _MEDIA_TYPES[PurePosixPath(path).suffix.lower()],
            None, None, None,
        )
        for image, path, camera in zip(images, placed, cameras(images), strict=True)
    )  # fmt: skip


def _refuse(paths: Sequence[str], line: str) -> None:
    if paths:
        count = f"{len(paths):,} {'has' if len(paths) == 1 else 'have'}"
        first = f"{'' if len(paths) == 1 else 'the first: '}{printable(paths[0])}"
        raise OutputError(line.format(count=count, first=first))


def _is_media_path(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return _FILE_PATH.search(path) is not None


def _zoned(time: datetime | None, utc_offset: timezone) -> str | None:
    return time.replace(tzinfo=utc_offset).isoformat(timespec="seconds") if time else None


def _write_timelapse(images: Sequence[Sampled], output: IO[bytes]) -> None:
    """Write the columns that every image set of Timelapse has, with paths as on Windows.

    Timelapse refuses a whole file with a column that is not in the template, such as one of
    labels, and with an empty time: so times are left out where an image has none.
    """
    dated = all(image.taken_at for image in images)
    columns = ["RootFolder", "File", "RelativePath", *(["DateTime"] if dated else [])]
    names = archive_names(image.archive for image in images)
    root = next(iter(names.values())) if len(names) == 1 else ""

    def rows() -> Iterator[list[str]]:
        for image, path in zip(images, places(images), strict=True):
            folder, _, name = path.rpartition("/")
            time = [_local(image.taken_at)] if image.taken_at and dated else []
            yield [root, name, folder.replace("/", "\\"), *time]

    write_csv(columns, rows(), output, for_people=False)


def _local(time: datetime) -> str:
    return time.isoformat(" ", "seconds")


def _write_coco(images: Sequence[Sampled], output: IO[bytes]) -> None:
    placed = places(images)
    labels = {label for image in images for label in image.labels} - {EMPTY}
    names = [EMPTY, *sorted(labels, key=sort_key)]  # the format keeps 0 for "empty"
    numbers = {name: number for number, name in enumerate(names)}
    info = {"version": "1.0", "description": f"A sample of {len(images)} images, by sdindex"}
    output.write(f'{{\n"info": {json.dumps(info)},\n"images": '.encode("ascii"))
    write_json(_coco_images(images, placed), output)
    output.write(b',\n"categories": ')
    write_json(({"id": number, "name": name} for name, number in numbers.items()), output)
    output.write(b',\n"annotations": ')
    write_json(
        (
            {"id": f"{path}#{number}", "image_id": path, "category_id": numbers[label]}
            for image, path in zip(images, placed, strict=True)
            for number, label in enumerate(image.labels)
        ),
        output,
    )
    output.write(b"}\n")


def _coco_images(images: Sequence[Sampled], placed: Sequence[str]) -> Iterator[dict[str, Any]]:
    for image, path, camera in zip(images, placed, cameras(images), strict=True):
        record = {
            "id": path,
            "file_name": path,
            "width": image.width,
            "height": image.height,
            "location": camera,
        }
        if image.taken_at is not None:
            record["datetime"] = _local(image.taken_at)
        if image.burst is not None:
            record["seq_id"] = str(image.burst)
        yield record
