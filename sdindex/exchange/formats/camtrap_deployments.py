"""The deployments of a package of Camtrap DP: one for each camera, or for each of its periods."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone

from sdindex.archive.names import printable
from sdindex.archive.scan import reason
from sdindex.errors import OutputError
from sdindex.exchange.inputs import Input, lines_of

MISSING = ("", "NA", "NaN", "nan")  # stands for no value in the standard's tables
_ANY = float("inf")
# https://camtrap-dp.tdwg.org/data/#deployments, version 1.0.2: all columns, in their order.
COLUMNS = (
    "deploymentID", "locationID", "locationName", "latitude", "longitude",
    "coordinateUncertainty", "deploymentStart", "deploymentEnd", "setupBy", "cameraID",
    "cameraModel", "cameraDelay", "cameraHeight", "cameraDepth", "cameraTilt", "cameraHeading",
    "detectionDistance", "timestampIssues", "baitUse", "featureType", "habitat",
    "deploymentGroups", "deploymentTags", "deploymentComments",
)  # fmt: skip
# The values allowed in columns: ranges of numbers, whole numbers, and words.
_BOUNDS = {
    "latitude": (-90, 90), "longitude": (-180, 180), "coordinateUncertainty": (1, _ANY),
    "cameraDelay": (0, _ANY), "cameraHeight": (0, _ANY), "cameraDepth": (0, _ANY),
    "cameraTilt": (-90, 90), "cameraHeading": (0, 360), "detectionDistance": (0, _ANY),
}  # fmt: skip
_WHOLE = ("coordinateUncertainty", "cameraDelay", "cameraTilt", "cameraHeading")
_YES_OR_NO = ("true", "True", "TRUE", "1", "false", "False", "FALSE", "0")
_WORDS = {
    "timestampIssues": _YES_OR_NO,
    "baitUse": _YES_OR_NO,
    "featureType": (
        "roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass",
        "roadBridge", "culvert", "burrow", "nestSite", "carcass", "waterSource", "fruitingTree",
    ),
}  # fmt: skip
_PERIOD = ("deploymentStart", "deploymentEnd")
_ALSO = {"camera": "camera", "start": _PERIOD[0], "end": _PERIOD[1]}


class Deployment:
    """A deployment; it takes in the times of its images.

    Attributes
    ----------
    name
        Its ``deploymentID``, which is unique.
    values
        Its values by column.
    """

    def __init__(self, name: str, values: Mapping[str, str]) -> None:
        self.name = name
        self.values = values
        self.start, self.end = (_when(values.get(column, "")) for column in _PERIOD)
        self._first: datetime | None = None
        self._last: datetime | None = None

    def has(self, time: datetime) -> bool:
        """Say whether a time lies in the period, as far as this is given."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)

    def see(self, time: datetime) -> None:
        """Take in the time of one of its images."""
        self._first = time if self._first is None else min(self._first, time)
        self._last = time if self._last is None else max(self._last, time)

    @property
    def period(self) -> tuple[datetime | None, datetime | None]:
        """Its start and end; those of its images where none are given."""
        return self.start or self._first, self.end or self._last

    @property
    def is_used(self) -> bool:
        """Whether it has images."""
        return self._first is not None

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """The longitude and the latitude."""
        written = self.values.get("longitude", ""), self.values.get("latitude", "")
        return (float(written[0]), float(written[1])) if all(written) else None


class Deployments:
    """The deployments of some cameras.

    Parameters
    ----------
    path
        A CSV with a column ``camera`` or ``deploymentID``, and columns of Camtrap DP; a camera
        may have several rows, each with its period. Without one, each camera is a deployment.
    utc_offset
        The UTC offset of times that have none.

    Raises
    ------
    OutputError
        When the CSV cannot be read or understood.
    """

    def __init__(self, path: str | None, utc_offset: timezone) -> None:
        self._of_camera: dict[str, list[Deployment]] = {}
        self._unknown: dict[str, None] = {}
        self._names = {*MISSING}  # names that are taken
        self._outside = 0
        self._path = path
        if path is not None:
            self._read(path, utc_offset)

    def of(self, camera: str, time: datetime) -> Deployment:
        """Return the deployment of an image, by its camera's name and its time."""
        known = self._of_camera.get(camera)
        if known is None:
            self._unknown[camera] = None
            known = self._of_camera[camera] = [Deployment(self._free(camera), {})]
        return min(known, key=lambda each: _apart(each, time))

    def take(self, camera: str, time: datetime) -> Deployment:
        """Return the deployment of an image, and count the image to it."""
        found = self.of(camera, time)
        found.see(time)
        self._outside += not found.has(time)
        return found

    def used(self) -> list[Deployment]:
        """Return the deployments that have images."""
        return [each for known in self._of_camera.values() for each in known if each.is_used]

    def remarks(self) -> Iterator[str]:
        """Yield what is missing or contradictory, a line each."""
        unplaced = [each for each in self.used() if each.coordinates is None]
        if unplaced:
            yield (
                f"warning: {len(unplaced):,} of {len(self.used()):,} deployments (such as "
                f"{printable(unplaced[0].name)}) have no latitude and longitude, which Camtrap DP "
                "requires: give a CSV with the columns camera, latitude, longitude: --deployments"
            )
        if self._path is None:
            yield "deployments last from the first to the last image here; --deployments tells more"
        elif self._unknown:
            yield (
                f"warning: {len(self._unknown):,} cameras are not in {printable(self._path)} (such "
                f"as {printable(next(iter(self._unknown)))})"
            )
        if self._outside:
            yield f"warning: {self._outside:,} images were taken outside their camera's periods"

    def _read(self, path: str, utc_offset: timezone) -> None:
        try:
            with Input(path).opened() as file:
                text, lines = lines_of(file)
                rows = csv.reader(lines, strict=True)
                columns = _columns(next(rows, []), path)
                for row in filter(None, rows):
                    self._add(_values(columns, row, utc_offset))
                text.detach()
        except OSError as problem:
            raise OutputError(f"cannot read {printable(path)}: {reason(problem)}") from problem
        except (csv.Error, ValueError) as problem:
            line = rows.line_num
            raise OutputError(
                f"{printable(path)} line {line:,}: {printable(str(problem))}"
            ) from problem

    def _add(self, values: dict[str, str]) -> None:
        camera = values.get("camera") or values.get("deploymentID", "")
        if not camera:
            raise ValueError("no camera is named")
        known = self._of_camera.setdefault(camera, [])
        name = values.get("deploymentID")
        if name in self._names:
            raise ValueError(f"a second deployment {name}")
        known.append(
            Deployment(
                self._free(name or (f"{camera} {len(known) + 1}" if known else camera)), values
            )
        )

    def _free(self, name: str) -> str:
        """Return a free name for a deployment: the camera's, or one made from it."""
        while name in self._names:
            name = f"camera {name}"
        self._names.add(name)
        return name


def _columns(header: Sequence[str], path: str) -> list[str | None]:
    names = {_key(name): name for name in COLUMNS} | _ALSO
    found = [names.get(_key(name)) for name in header]
    if not {"camera", "deploymentID"} & {*found}:
        raise OutputError(
            f"{printable(path)} has no column camera or deploymentID; its columns: "
            f"{printable(', '.join(header))[:200]}"
        )
    return found


def _values(
    columns: Sequence[str | None], row: Sequence[str], utc_offset: timezone
) -> dict[str, str]:
    if len(row) != len(columns):
        raise ValueError(f"{len(row)} values, and {len(columns)} columns")
    values = {
        name: value.strip() for name, value in zip(columns, row, strict=True) if name is not None
    }
    for name in values.keys() - {"camera"}:  # kept as it is: a camera may have any name
        values[name] = "" if values[name] in MISSING else values[name]
        _check(name, values[name])
    for name in _PERIOD:
        if values.get(name):
            time = datetime.fromisoformat(values[name])
            zoned = time.replace(tzinfo=utc_offset) if time.tzinfo is None else time
            values[name] = zoned.isoformat(timespec="seconds")
    return values


def _check(name: str, written: str) -> None:
    """Refuse a value that the standard does not allow in a column."""
    if written and name in _BOUNDS:
        (least, most), number = _BOUNDS[name], float(written)
        if not least <= number <= most or number == _ANY:
            between = f"from {least} to {most}" if most < _ANY else f"{least} or more"
            raise ValueError(f"{name} {written} is not {between}")
        if name in _WHOLE and not written.lstrip("+-").isdecimal():
            raise ValueError(f"{name} {written} is no whole number")
    if written and name in _WORDS and written not in _WORDS[name]:
        raise ValueError(f"{name} {written} is none of {', '.join(_WORDS[name])}")


def _when(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _apart(deployment: Deployment, time: datetime) -> float:
    """Return by how many seconds a time lies outside a deployment's period."""
    before = (deployment.start - time).total_seconds() if deployment.start else 0
    after = (time - deployment.end).total_seconds() if deployment.end else 0
    return max(before, after, 0)


def _key(column: str) -> str:
    return re.sub(r"[\s_]", "", column).lower()
