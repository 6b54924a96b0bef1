"""MegaDetector's results: reading labels from what they say of an image.

The format (https://lila.science/megadetector-output-format, versions 1.0 to 1.6) has a detector's
detections, and for each the species that a classifier sees. SpeciesNet, AddaxAI, Zamba and
Timelapse write it, too.
"""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from sdindex.exchange.json_stream import JsonError, pieces
from sdindex.exchange.taxonomy import taxonomy

EMPTY = "empty"  # the label of an image without an animal, as in COCO Camera Traps

INFO = "info"
CATEGORIES = "detection_categories"
SPECIES = "classification_categories"
DESCRIPTIONS = "classification_category_descriptions"
HEADER = (INFO, CATEGORIES, SPECIES, DESCRIPTIONS)  # what the format has beside the images
PREDICTIONS = "predictions"  # SpeciesNet's own form: see `predictions`

_LONGEST_FAILURE = 1000  # characters
_DIGITS = 10  # characters of a category's number; a longer text is a name

Header = dict[str, Any]  # lists of objects, and what else a program wrote


class Label(NamedTuple):
    """A label, or a failure, that a file gives for an image, which may have several.

    Attributes
    ----------
    path
        The path as it is written there: see `sdindex.exchange.matching`.
    label
        None where none was given; `failure` may say why.
    confidence
        0 to 1; None where none is written.
    failure
        Why the image could not be processed; else None.
    bbox
        The box, as JSON: x, y, width and height as fractions, from the top left; None without one.
    source
        The label's source; None where the file does not name it.
    human
        Whether the source is a person; None where the file does not tell.
    """

    path: str
    label: str | None
    confidence: float | None = None
    failure: str | None = None
    bbox: str | None = None
    source: str | None = None
    human: bool | None = None


class Remarks(NamedTuple):
    """What one entry of a file says of an image.

    Attributes
    ----------
    path
        As it is written there.
    labels
        Its labels, or a failure.
    image
        All that MegaDetector's results say of the image but the path; None for other files.
    """

    path: str
    labels: list[Label]
    image: dict[str, Any] | None = None


class Thresholds(NamedTuple):
    """The least confidences, 0 to 1, of a detection, and of a detection's species."""

    detection: float
    classification: float


def header_of(file: IO[bytes]) -> Header:
    """Return what a file has beside the images, without members that are missing or wrong.

    SpeciesNet's predictions have no such header.

    Raises
    ------
    JsonError
        When the file is damaged.
    """
    header: Header = {}
    try:
        for name, found in pieces(file, (*HEADER, PREDICTIONS)):
            if name == PREDICTIONS:
                break
            if isinstance(found, dict):
                header[name] = (
                    found if name == INFO else {key: str(what) for key, what in found.items()}
                )
            if len(header) == len(HEADER):  # the images themselves are skipped
                break
    except JsonError:
        if CATEGORIES not in header:  # else reading the images tells where the damage is
            raise
    return header


def named(header: Header) -> dict[str, dict[str, str]]:
    """Return the taxonomy of the species in a file, by their names: the name at each rank."""
    names = header.get(SPECIES, {})
    described = header.get(DESCRIPTIONS, {}).items()
    return taxonomy(
        (str(names[number]), str(description)) for number, description in described
        if number in names
    )  # fmt: skip


class Renumbering(NamedTuple):
    """New numbers of categories and species, by the old ones; empty where none changes."""

    categories: dict[str, str]
    species: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.categories or self.species)

    def of(self, image: dict[str, Any]) -> dict[str, Any]:
        """Return what results say of an image, with the new numbers."""
        if image.get("detections") is None:
            return image
        return {**image, "detections": [self._of(one) for one in image["detections"]]}

    def _of(self, detection: dict[str, Any]) -> dict[str, Any]:
        number = str(detection["category"])
        new = {**detection, "category": self.categories.get(number, number)}
        if detection.get("classifications"):
            new["classifications"] = [
                [self.species.get(str(number), str(number)), *sure]
                for number, *sure in detection["classifications"]
            ]
        return new


def joined(header: Header, new: Header) -> tuple[Header, Renumbering]:
    """Join the headers of two files; return that, and how the second file is renumbered.

    Two files of one source may number categories differently, such as for two countries.
    """
    categories, new_categories = _joined(_whats(header, CATEGORIES), _whats(new, CATEGORIES))
    species, new_species = _joined(_whats(header, SPECIES), _whats(new, SPECIES))
    both = {name: said for name, said in {**header, **new}.items() if name not in HEADER}
    both = {INFO: new.get(INFO, header.get(INFO, {})), **both}
    both[CATEGORIES] = {number: name for number, (name, _) in categories.items()}
    if SPECIES in header or SPECIES in new:
        both[SPECIES] = {number: name for number, (name, _) in species.items()}
    if DESCRIPTIONS in header or DESCRIPTIONS in new:
        both[DESCRIPTIONS] = {
            number: said for number, (_, said) in species.items() if said is not None
        }
    return both, Renumbering(new_categories, new_species)


_What = tuple[Any, Any]  # a name, and a description or None


def _whats(header: Header, names: str) -> dict[str, _What]:
    described = header.get(DESCRIPTIONS, {}) if names == SPECIES else {}
    return {number: (name, described.get(number)) for number, name in header.get(names, {}).items()}


def _joined(
    known: dict[str, _What], new: dict[str, _What]
) -> tuple[dict[str, _What], dict[str, str]]:
    both, changed = dict(known), {}
    numbers = {what: number for number, what in known.items()}
    numbered = (number for number in [*known, *new] if number.isdecimal())
    free = 1 + max((int(number) for number in numbered if len(number) < _DIGITS), default=0)
    for number, what in new.items():
        as_known = number if known.get(number, what) == what else numbers.get(what, str(free))
        free += as_known == str(free)
        both[as_known] = what
        if as_known != number:
            changed[number] = as_known
    return both, changed


class Reader:
    """Reads labels from what results say of an image.

    Parameters
    ----------
    header
        The file's header, with the names of the categories.
    """

    def __init__(self, header: Header, thresholds: Thresholds) -> None:
        self._categories = _names(header.get(CATEGORIES, {}))
        self._species = _names(header.get(SPECIES, {}))
        self._least, self._least_sure = thresholds

    def labels(self, path: str, image: Mapping[str, Any]) -> Iterator[Label]:
        """Yield the label of each detection, ``empty`` where there is none, or the failure.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            When it is not in the format.
        """
        detections, failure = image.get("detections"), image.get("failure")
        if detections is None or failure:
            said = text(str(failure or "no detections are written")[:_LONGEST_FAILURE])
            yield Label(path, None, failure=said)
            return
        is_empty = True
        for detection in detections:
            # The format says to ignore a detection whose category has no name.
            name = self._categories.get(str(detection["category"]))
            sure = confidence(detection["conf"])
            if name is None or sure < self._least:
                continue
            is_empty = False
            species = detection.get("classifications")
            if species:
                name, sure = self._seen(species) or (name, sure)
            yield Label(path, name, sure, bbox=_box(detection.get("bbox")))
        if is_empty:
            yield Label(path, EMPTY)

    def _seen(self, species: list[tuple[Any, Any]]) -> tuple[str, float] | None:
        """Return the likeliest species and its confidence; None if too low, or without a name."""
        number, sure = species[0]
        for other, likely in species[1:]:
            if likely > sure:  # the format lists the best first, but not all programs do
                number, sure = other, likely
        name = self._species.get(str(number))
        return (name, sure) if name and confidence(sure) >= self._least_sure else None


def confidence(value: Any) -> float:
    """Return a confidence, and raise ValueError if it is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(value)
    return float(value)


def text(value: str) -> str:
    """Return a text, and raise UnicodeEncodeError if it cannot be stored."""
    value.encode("utf-8")
    return value


def _box(bbox: Any) -> str | None:
    if bbox is None:
        return None
    x, y, width, height = bbox
    for number in (x, y, width, height):
        if type(number) is not float and type(number) is not int:
            raise ValueError(bbox)
    return f"[{x!r}, {y!r}, {width!r}, {height!r}]"


def _names(categories: Mapping[str, Any]) -> dict[str, str]:
    return {number: text(str(name)) for number, name in categories.items()}


# Of an image, all but its path.
as_record = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
