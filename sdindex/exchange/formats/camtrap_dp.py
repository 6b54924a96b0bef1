"""A sample as a package of Camtrap DP 1.0.2; cameras, or their periods, are deployments."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timezone
from pathlib import PurePosixPath
from typing import Any

from sdindex.archive.names import printable
from sdindex.errors import Option, OutputError
from sdindex.exchange.detections import EMPTY
from sdindex.exchange.folders import Folder
from sdindex.exchange.formats import camtrap_deployments
from sdindex.exchange.formats.camtrap_deployments import Deployments
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, SaidOf, Sampled
from sdindex.exchange.tables import write_csv

_AT = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
# https://camtrap-dp.tdwg.org/data, version 1.0.2: all columns, in their order.
_MEDIA = (
    "mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName",
    "fileMediatype", "exifData", "favorite", "mediaComments",
)  # fmt: skip
_OBSERVATIONS = (
    "observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd",
    "observationLevel", "observationType", "cameraSetupType", "scientificName", "count",
    "lifeStage", "sex", "behavior", "individualID", "individualPositionRadius",
    "individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth", "bboxHeight",
    "classificationMethod", "classifiedBy", "classificationTimestamp",
    "classificationProbability", "observationTags", "observationComments",
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
# Observation types of labels that name no species.
_TYPES = {
    EMPTY: "blank", "blank": "blank", "person": "human", "human": "human", "vehicle": "vehicle",
    "animal": "animal", "unknown": "unknown", "unclassified": "unclassified",
}  # fmt: skip
_TAXON_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
_LEAST_SIDE = 1e-15  # of a box, as the schema allows no side of 0
_UNCLASSIFIED = "unclassified", *[None] * 20


def write(images: Collection[Sampled], folder: Folder, wishes: Wishes) -> None:
    """Write the package; nothing is written where the schema would refuse a row."""
    if wishes.utc_offset is None:
        raise OutputError(
            "Camtrap DP wants times with their offset from UTC, which EXIF times do not have; "
            "give that of the cameras' clocks with ",
            Option("utc_offset"),
            ", such as +01:00",
        )
    package = _Package(images, wishes, wishes.utc_offset)
    package.refuse()
    with folder.file("media.csv") as file:
        write_csv(_MEDIA, package.media(), file, for_people=False)
    with folder.file("observations.csv") as file:
        write_csv(_OBSERVATIONS, package.observations(), file, for_people=False)
    with folder.file("deployments.csv") as file:
        write_csv(camtrap_deployments.COLUMNS, package.deployed(), file, for_people=False)
    with folder.file("datapackage.json") as file:
        file.write(f"{json.dumps(package.described(), indent=2)}\n".encode("ascii"))
    for line in package.remarks():
        wishes.say(line)


class _Package:
    """The rows of the tables of a package, made from the images as they come."""

    def __init__(self, images: Collection[Sampled], wishes: Wishes, offset: timezone) -> None:
        self._images, self._wishes, self._offset = images, wishes, offset
        self._naming = Naming.of(images)
        self._deployments = Deployments(wishes.deployments, offset)
        self._names = {each.label for image in images for each in image.said}
        self._ranks = {} if wishes.ranks is None else wishes.ranks(self._names)
        self._events = self._spans()

    def refuse(self) -> None:
        """Refuse what the schema does not allow."""
        if self._wishes.without_time == "fail":
            _refuse(
                self._images,
                lambda image: image.path if image.taken_at is None else None,
                "Camtrap DP wants a time for each image, and {count} no EXIF time ({first}); "
                "leave them out with ",
                Option("without_time"),
                " skip",
            )
        naming = self._naming
        _refuse(
            self._images,
            lambda image: None if _is_media_path(naming.path(image)) else naming.path(image),
            "Camtrap DP allows no path that begins with . / or ~, or has two dots in a row, a line "
            "break, or what is no Unicode, and {count} such a path ({first}); rename it",
        )

    def media(self) -> Iterator[tuple[object, ...]]:
        for image, time in self._timed():
            path = self._naming.path(image)
            name = PurePosixPath(path)
            deployment = self._deployments.take(self._naming.camera(image), time)
            yield (
                path, deployment.name, None, _written(time), path, "false", name.name,
                _MEDIA_TYPES[name.suffix.lower()], None, None, None,
            )  # fmt: skip

    def observations(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each label in each box; one for an image without labels."""
        for image, time in self._timed():
            path, event = self._naming.path(image), self._event(image)
            deployment = self._deployments.of(self._naming.camera(image), time).name
            start, end = map(_written, self._events.get(event or "", (time, time)))
            of_image = deployment, path, event, start, end, "media"
            seen = [self._observed(said) for said in image.said] or [_UNCLASSIFIED]
            for number, observed in enumerate(seen):
                yield f"{path}#{number}", *of_image, *observed

    def deployed(self) -> Iterator[list[object]]:
        for deployment in self._deployments.used():
            start, end = deployment.period
            values = {
                **deployment.values,
                "deploymentID": deployment.name,
                "deploymentStart": _written(start),
                "deploymentEnd": _written(end),
            }
            yield [values.get(name) for name in camtrap_deployments.COLUMNS]

    def described(self) -> dict[str, Any]:
        """Return ``datapackage.json``."""
        used = self._deployments.used()
        starts = [start for start, _ in (each.period for each in used) if start is not None]
        ends = [end for _, end in (each.period for each in used) if end is not None]
        today = datetime.now(UTC)
        return {
            "resources": [_resource(name) for name in ("deployments", "media", "observations")],
            "profile": f"{_AT}/camtrap-dp-profile.json",
            "title": self._wishes.name or "A sample",
            "created": today.isoformat(timespec="seconds"),
            "contributors": [{"title": "unknown"}],
            "sources": [{"title": "sdindex"}],
            "project": {
                "title": self._wishes.name or "A sample",
                "samplingDesign": "opportunistic",
                "captureMethod": ["activityDetection"],
                "individualAnimals": False,
                "observationLevel": ["media"],
            },
            "spatial": _area([each.coordinates for each in used]),
            "temporal": {
                "start": f"{min(starts, default=today):%Y-%m-%d}",
                "end": f"{max(ends, default=today):%Y-%m-%d}",
            },
            "taxonomic": [*self._taxa()],
        }

    def remarks(self) -> Iterator[str]:
        """Yield what is missing, or to be corrected, a line each."""
        undated = sum(image.taken_at is None for image in self._images)
        if undated:
            yield f"warning: {undated:,} images have no EXIF time, and are left out"
        yield from self._deployments.remarks()
        yield (
            "datapackage.json names no contributor, and takes the sampling for opportunistic, by "
            "motion, of animals that are not told apart: correct it before you publish the package"
        )

    def _timed(self) -> Iterator[tuple[Sampled, datetime]]:
        for image in self._images:
            if image.taken_at is not None:
                yield image, image.taken_at.replace(tzinfo=self._offset)

    def _event(self, image: Sampled) -> str | None:
        return None if image.event is None else self._naming.path_of(image.archive, image.event)

    def _spans(self) -> dict[str, tuple[datetime, datetime]]:
        """Return, by event, the times of its first and last image in the sample."""
        spans: dict[str, tuple[datetime, datetime]] = {}
        for image, time in self._timed():
            event = self._event(image)
            if event is not None:
                start, end = spans.get(event, (time, time))
                spans[event] = min(start, time), max(end, time)
        return spans

    def _observed(self, said: SaidOf) -> tuple[object, ...]:
        """Return the columns from observationType on."""
        count = None if said.box is None else 1
        name, kind = self._scientific(said.label), _TYPES.get(said.label, "animal")
        seen = kind, None, name, count, *[None] * 7
        return *seen, *_box(said), *_by(said), _tag(said), None

    def _scientific(self, label: str) -> str | None:
        """Return the name of a label's lowest rank; without a taxonomy the label itself."""
        if label in _TYPES:
            return None
        ranks = self._ranks.get(label, {})
        return next((ranks[rank] for rank in reversed(_TAXON_RANKS) if rank in ranks), label)

    def _taxa(self) -> Iterator[dict[str, str]]:
        seen: set[str] = set()
        for label in sorted(self._names):
            name, ranks = self._scientific(label), self._ranks.get(label, {})
            if name is None or name in seen:
                continue
            seen.add(name)
            known = {rank: ranks[rank] for rank in _TAXON_RANKS if rank in ranks}
            taxon = {"scientificName": name, **known}
            taxon.pop("species", None)  # this rank has the scientific name
            yield taxon | {"taxonRank": [*known][-1]} if known else taxon


def _resource(name: str) -> dict[str, str]:
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_AT}/{name}-table-schema.json",
    }


def _area(coordinates: list[tuple[float, float] | None]) -> dict[str, Any]:
    """Return the rectangle around all coordinates, as GeoJSON; empty without any."""
    known = [each for each in coordinates if each is not None]
    if not known:
        return {"type": "GeometryCollection", "geometries": []}
    (west, east), (south, north) = ((min(side), max(side)) for side in zip(*known, strict=True))
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}


def _box(said: SaidOf) -> tuple[float | None, ...]:
    """Return a label's box, cut to the image; four times None without one."""
    if said.box is None:
        return (None,) * 4
    x, y = (min(max(side, 0.0), 1.0) for side in (said.box.x, said.box.y))
    width, height = min(said.box.width, 1.0), min(said.box.height, 1.0)
    return (None,) * 4 if min(width, height) < _LEAST_SIDE else (x, y, width, height)


def _by(said: SaidOf) -> tuple[object, ...]:
    method = "human" if said.is_human else "machine" if said.confidence is not None else None
    return method, said.source, None, said.confidence


def _tag(said: SaidOf) -> str | None:
    """Return the label as a tag, as the other columns may have another name of it."""
    return None if "|" in said.label else f"label:{said.label}"


def _refuse(
    images: Collection[Sampled],
    offence: Callable[[Sampled], str | None],
    line: str,
    *way_out: str,
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
        raise OutputError(line.format(count=count, first=named), *way_out)


def _is_media_path(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return _FILE_PATH.search(path) is not None


def _written(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
