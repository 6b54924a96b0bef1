"""The paths of images in other programs' exports, for lists such as --from."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from sdindex.archive.names import printable
from sdindex.errors import LabelFileError
from sdindex.exchange.inputs import Input, lines_of
from sdindex.exchange.label_files import LabelFile
from sdindex.exchange.label_tables import TableError, has_paths, paths_in
from sdindex.exchange.readers import cvat
from sdindex.exchange.readers.faults import FaultyError
from sdindex.exchange.readers.file_formats import (
    CAMTRAP_DP,
    COCO,
    CVAT,
    CVAT_MANIFEST,
    LABEL_STUDIO,
    TABLE,
    YOLO,
    PackedError,
    folder_file,
    kind_of,
)

_EXPORTS = (CAMTRAP_DP, COCO, CVAT, LABEL_STUDIO, YOLO)


def exported_paths(file: Input) -> Iterable[str] | None:
    """Return the paths of images in an export; None for a plain list.

    Raises
    ------
    LabelFileError
        When it is packed; while paths are read, when it is damaged.
    OSError
        When it cannot be read.
    """
    try:
        path = folder_file(file.name)
        kind = kind_of(file if path == file.name else Input(path))
    except PackedError as problem:
        raise LabelFileError(
            f"{printable(file.name)} is a ZIP; unpack it, and name the file in it"
        ) from problem
    if kind in _EXPORTS:
        return LabelFile(file.name, opened=file).paths()
    if kind == CVAT_MANIFEST:
        return _manifest(file)
    return _table(file) if kind == TABLE and _is_table(file) else None


def _is_table(file: Input) -> bool:
    with file.opened() as content:
        text, lines = lines_of(content)
        header = next(lines, "")
        text.detach()
    return has_paths(header)


def _table(file: Input) -> Iterator[str]:
    labels = LabelFile(file.name, opened=file)

    def media() -> Mapping[str, str]:
        return labels.media()

    with file.opened() as content:
        text, lines = lines_of(content)
        try:
            yield from (path for path, _ in groupby(paths_in(next(lines, ""), lines, media)))
        except TableError as problem:
            raise LabelFileError(f"{printable(file.name)} {printable(str(problem))}") from problem
        finally:
            text.detach()


def _manifest(file: Input) -> Iterator[str]:
    try:
        yield from cvat.manifest_paths(file)
    except FaultyError as problem:
        raise LabelFileError(f"{printable(file.name)} {printable(str(problem))}") from problem
