"""The data of a report: a sample, and counts of the images that it is drawn from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex.archive.names import from_text, printable
from sdindex.archive.roots import stored_root
from sdindex.errors import SampleError
from sdindex.exchange.lists import drawn_from, resolve
from sdindex.exchange.naming import Naming
from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.count import Count, images_wanted
from sdindex.sampling.frame import Frame, Numbers, as_date, days, needed
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.quality import QUALITY_COLUMNS, Quality, quality
from sdindex.sampling.reached import LabelsReached, labels_reached
from sdindex.sampling.sample import Candidates, draw
from sdindex.sampling.sheet import Sheets
from sdindex.sampling.spelled import command
from sdindex.sampling.trim import stride
from sdindex.store import archives, samples, selection
from sdindex.store.candidates import candidates
from sdindex.store.database import Session
from sdindex.store.sampled import Heard, SampledImage, by_id

MAP_LEFT = 4000  # images left out that are shown on the map: as many as a browser draws easily
CURVE_POINTS = 16
GROUPED_BY = ("camera", "bucket", "label", "day")


class Origin(NamedTuple):
    """Where a sample comes from.

    Attributes
    ----------
    name
        The name of a saved sample; else empty.
    command
        The command line that draws it.
    options
        The options by which it was drawn.
    made_at, program
        When it was drawn (UTC), and by which version of sdindex.
    asked
        How many images were asked for.
    missing
        How many of its images are missing or unreadable now.
    drawn_from
        How many images could be sampled when a saved sample was drawn.
    lost
        Lines on filters of a saved sample that no longer work today.
    """

    name: str | None
    command: str
    options: SampleOptions
    made_at: datetime
    program: str
    asked: int
    missing: int = 0
    drawn_from: int = 0
    lost: Sequence[str] = ()


class Bucket(NamedTuple):
    """A bucket: its number and bits, its images, and how many of them the sample has."""

    bucket: int
    bits: str
    images: int
    keeps: int


class Group(NamedTuple):
    """Images that are shown together: how many there are, and the sampled ones."""

    name: str
    images: int
    members: list[int]


class Burst(NamedTuple):
    """The burst of an image: its number, its size, and how many of its images are sampled."""

    number: int
    images: int
    sampled: int


@dataclass(frozen=True)
class ReportData:
    """The sample, counts of the images to draw from, and an even subset of those left out.

    `sheets` has the groups by grouping, such as ``camera``; `bursts` the burst of each sampled
    image.
    """

    origin: Origin
    archives: list[str]
    sample: list[SampledImage]
    left_out: list[SampledImage]
    quality: Quality | None
    labels: list[LabelsReached]
    buckets: list[Bucket]
    undated: int
    naming: Naming
    cameras: "Counter[str]"
    cells: "Counter[tuple[str, date]]"
    sampled_cells: "Counter[tuple[str, date]]"
    sheets: dict[str, list[Group]]
    bursts: list[Burst]

    @property
    def images(self) -> int:
        """How many images there are to draw from, the sample's included."""
        return sum(bucket.images for bucket in self.buckets)


def gather(session: Session, db: str, count: Count, options: SampleOptions) -> ReportData:
    """Draw a sample, and return a report's data; `db` is the index's name, empty by default."""
    found = candidates(session, options, QUALITY_COLUMNS, resolve(session, options))
    asked = images_wanted(count, len(found))
    said = command(db, asked, options)
    origin = Origin(None, said, options, datetime.now(UTC), version("sdindex"), asked)
    return _report_data(session, found, draw(found, asked).positions, origin)


def gather_saved(session: Session, db: str, name: str) -> ReportData:
    """Return a report's data of a saved sample, beside the images that it could be drawn from now.

    Raises
    ------
    SampleError
        When there is none of that name, or none of its images is there.
    """
    source = drawn_from(session, name)
    if not source.there:
        raise SampleError(
            f"none of the images of {printable(name)} is there; see which are missing: "
            f"sdindex samples show {printable(name)} --missing"
        )
    (known,) = (each for each in samples.listing(session) if each.name == name)
    drawn_by = SampleOptions(**known.options)
    said = command(db, known.asked, drawn_by, "--save", name)
    made = known.made_at, known.program, known.asked, known.missing, known.drawn_from
    again = replace(source.options, files=None, exclude=())  # the lists are resolved
    found = candidates(session, again, QUALITY_COLUMNS, source.listed)
    return _report_data(
        session, found, found.fixed, Origin(name, said, drawn_by, *made, source.lost)
    )


def _report_data(session: Session, found: Candidates, drawn: Numbers, origin: Origin) -> ReportData:
    frame, options = found.frame, origin.options
    others = np.delete(np.arange(len(frame)), drawn)
    shown = others[stride(len(others), min(len(others), MAP_LEFT))]
    heard = Heard(options.sources, options.min_confidence or 0)
    sample, left_out = (
        by_id(session, frame.ids[some].tolist(), found.leading, heard=heard)
        for some in (drawn, shown)
    )
    cameras, times = needed(frame.cameras), needed(frame.times)
    roots = {one.id: stored_root(one.root).location() for one in archives.all_archives(session)}
    counted = np.bincount(cameras.numbers, minlength=len(cameras.names)).tolist()
    used = {roots[of] for (of, _), images in zip(cameras.names, counted, strict=True) if images}
    naming = Naming(used)
    names = [
        naming.camera_name(roots[of], from_text(camera)) if roots[of] in used else ""
        for of, camera in cameras.names
    ]
    by_camera = Counter[str]()
    for name, images in zip(names, counted, strict=True):
        by_camera[name] += images
    # The saved images are fixed here; samples of other sizes are drawn without them.
    free = found if origin.name is None else replace(found, fixed=drawn[:0])
    dated, on_days, sheets = times != NO_TIME, days(times), Sheets(found)
    dated_drawn = drawn[dated[drawn]]
    return ReportData(
        origin=origin,
        archives=[root for root in roots.values() if root in used],
        sample=sample,
        left_out=left_out,
        quality=quality(found, drawn, distance=options.burst_distance, sizes=False)
        if len(drawn)
        else None,
        labels=_labels(free, len(drawn)),
        buckets=_buckets(frame, drawn, found.leading),
        undated=len(frame) - int(dated.sum()),
        naming=naming,
        cameras=+by_camera,
        cells=_cells(cameras.numbers[dated], on_days[dated], names),
        sampled_cells=_cells(cameras.numbers[dated_drawn], on_days[dated_drawn], names),
        sheets={by: _groups(sheets, drawn, by) for by in GROUPED_BY},
        bursts=_bursts(found, drawn),
    )


def _groups(sheets: Sheets, drawn: Numbers, by: str) -> list[Group]:
    return [
        Group(group.name, group.images, np.searchsorted(drawn, group.sample).tolist())
        for group in sheets.groups(drawn, by)
    ]


def _bursts(found: Candidates, drawn: Numbers) -> list[Burst]:
    _, numbers, images = np.unique(found.groups["burst"], return_inverse=True, return_counts=True)
    of_sample = numbers[drawn].tolist()
    sampled = Counter(of_sample)
    return [Burst(number, int(images[number]), sampled[number]) for number in of_sample]


def _labels(found: Candidates, count: int) -> list[LabelsReached]:
    """Return how many labels samples reach: smaller ones, this one, and up to four times larger.

    Larger ones may have too few images for fixed shares.
    """
    if not count or not len(needed(found.frame.labels).positions):
        return []
    largest = count if found.quotas else 4 * count
    sizes = np.geomspace(1, min(largest, len(found)), CURVE_POINTS)
    return labels_reached(found, [count, *map(int, np.rint(sizes))])


def _buckets(frame: Frame, drawn: Numbers, leading: Sequence[int]) -> list[Bucket]:
    keeps = Counter(frame.buckets(leading)[drawn].tolist())
    return [
        Bucket(number, selection.bits_of(number, len(leading)), size, keeps[number])
        for number, size in frame.bucket_sizes(leading)[0].items()
    ]


def _cells(
    cameras: NDArray[np.int32], on_days: Numbers, names: Sequence[str]
) -> Counter[tuple[str, date]]:
    """Return how many images each camera took on each day."""
    found, images = np.unique(np.stack([cameras, on_days]), axis=1, return_counts=True)
    cells = Counter[tuple[str, date]]()
    for camera, day, count in zip(*found.tolist(), images.tolist(), strict=True):
        cells[names[camera], as_date(day)] += count
    return cells
