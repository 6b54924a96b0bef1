"""Recognising the format of a label file by its content."""

import json
import os
import re
from typing import IO

from sdindex.exchange.inputs import STDIN, Input
from sdindex.exchange.json_stream import JsonError, pieces

MEGADETECTOR, TABLE, CAMTRAP_DP = "megadetector", "csv", "camtrap-dp"
COCO, LABEL_STUDIO, CVAT, YOLO = "coco", "label-studio", "cvat", "yolo"
CVAT_MANIFEST = "cvat-manifest"  # a list of images, without labels
KINDS = (MEGADETECTOR, TABLE, CAMTRAP_DP, COCO, LABEL_STUDIO, CVAT, YOLO)

PACKAGE, DATASET = "datapackage.json", "data.yaml"  # the file to read in a folder of these formats

_END = 1 << 20  # bytes at the start and the end that are searched for the names of members
_RESULTS = re.compile(rb'"detection_categories"\s*:')
_COCO = re.compile(rb'"annotations"\s*:')
_CAMTRAP = re.compile(rb'"profile"\s*:\s*"[^"]*camtrap-dp')
_YOLO = re.compile(rb"^\s*(names)\s*:", re.MULTILINE)
_YOLO_PART = re.compile(rb"^\s*(train|val|test)\s*:", re.MULTILINE)
_ZIP = b"PK\x03\x04"


class PackedError(ValueError):
    """A file that is packed."""


def folder_file(path: str) -> str:
    """Return the file to read in a folder: of a package of Camtrap DP, or a dataset of YOLO."""
    if path == STDIN or not os.path.isdir(path):
        return path
    inside = (os.path.join(path, name) for name in (PACKAGE, DATASET))
    return next(filter(os.path.exists, inside), path)


def kind_of(file: Input) -> str:
    """Return the format of a label file: a table or MegaDetector's results, if no other fits.

    Raises
    ------
    OSError
        When it cannot be read.
    PackedError
        When it is a ZIP.
    """
    with file.opened() as content:
        start = content.tell()
        size = content.seek(0, os.SEEK_END)
        content.seek(start)
        head = content.read(_END)
        content.seek(max(start, size - _END))
        tail = content.read(_END)
        content.seek(start)
        match head.lstrip()[:1]:
            case b"<":
                return CVAT
            case b"[":
                return LABEL_STUDIO if _is_tasks(content) else MEGADETECTOR
            case b"{":
                return _kind_of_object(head, tail)
    if head.startswith(_ZIP):
        raise PackedError
    is_yolo = _YOLO.search(head) is not None and _YOLO_PART.search(head) is not None
    return YOLO if is_yolo else TABLE


def _kind_of_object(head: bytes, tail: bytes) -> str:
    if _is_manifest(head):
        return CVAT_MANIFEST
    if _CAMTRAP.search(head):
        return CAMTRAP_DP
    if any(map(_RESULTS.search, (head, tail))):
        return MEGADETECTOR
    return COCO if any(map(_COCO.search, (head, tail))) else MEGADETECTOR


def _is_manifest(head: bytes) -> bool:
    lines = head.split(b"\n", 2)[:2]
    try:
        first, second = map(json.loads, lines)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(first, dict)
        and "version" in first
        and isinstance(second, dict)
        and second.get("type") == "images"
    )


def _is_tasks(content: IO[bytes]) -> bool:
    """Say whether it is a list of Label Studio's tasks: objects with data."""
    try:
        first = next(pieces(content), None)
    except JsonError:
        return False
    return first is not None and isinstance(first[1], dict) and "data" in first[1]
