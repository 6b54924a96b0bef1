"""`Review`: a sample that people look at and decide on, drawn anew within a moment."""

import getpass
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import RLock
from typing import NamedTuple, TypeVar

from sdindex.archive.names import printable
from sdindex.arguments import DEFAULT_INDEX, choice, flag, optional, text, whole, wholes
from sdindex.errors import IndexUnusableError, SampleError, UsageError
from sdindex.exchange import lists
from sdindex.hashing.bits import HASH_BITS
from sdindex.sampling.count import Count, Share, images_wanted, sample_count
from sdindex.sampling.frame import Numbers
from sdindex.sampling.likeness import nearest
from sdindex.sampling.options import Clock, SampleOptions, checked_options
from sdindex.sampling.order import known_bits
from sdindex.sampling.review import Decided, reviewed
from sdindex.sampling.sample import Candidates, draw, require_room
from sdindex.sampling.sheet import GROUPINGS, SHEET_COLUMNS, Figure, Group, Sheets, around
from sdindex.store import decisions, samples
from sdindex.store.candidates import candidates
from sdindex.store.database import Session, Store
from sdindex.store.decided import decided, decisions_of
from sdindex.store.decisions import Known, What
from sdindex.store.loading import Held
from sdindex.store.sampled import SampledImage, UnitsTold, by_id
from sdindex.store.units_told import units_told

ALIKE = 6  # bits; images that differ from a rejected one in no more may be rejected with it
USUAL_COUNT = 100
_KEPT_OPTIONS = 4  # ways to draw that are remembered, as a slider goes back and forth

Answer = TypeVar("Answer")
_Drawn = tuple[list[int], list[int] | None, int, SampleOptions]

log = logging.getLogger("sdindex")


@dataclass(frozen=True)
class Sheet:
    """A sample as a page of a review shows it.

    Attributes
    ----------
    asked
        How many images were asked for.
    least
        How many images the sample has at least: those that are kept or fixed.
    images
        How many images there are to draw from.
    groups
        Each group's name, how many images it has to draw from, and the ids of its sampled images.
    decisions
        The decisions, by the ids of their images.
    options
        The options that draw this sample again.
    """

    asked: int
    least: int
    images: int
    groups: list[tuple[str, int, list[int]]]
    figures: list[Figure]
    decisions: dict[int, Known]
    options: SampleOptions


class Near(NamedTuple):
    """An image beside another one, and whether it is of the same burst."""

    id: int
    in_burst: bool


class _Ways(NamedTuple):
    """The candidates for samples of some options, and how these are shown."""

    found: Candidates
    sheets: Sheets
    drawn: dict[int, Numbers]  # by the number of images


class Review:
    """A review of an index, by one observer; safe to be used by several threads.

    Parameters
    ----------
    store
        The index.
    name
        Of the review to go on with, or of a saved sample to review. By default a new review begins,
        which gets its name with the first decision.
    count, options
        Those of the sample that a new review begins with.
    observer
        Who decides; by default the user of this computer.

    Raises
    ------
    SampleError
        When there is neither a review nor a sample of that name.
    """

    def __init__(
        self,
        store: Store,
        name: str | None,
        count: Count,
        options: SampleOptions,
        observer: str | None,
    ) -> None:
        self._store, self._lock = store, RLock()
        self._held: Held | None = None
        self._ways: dict[SampleOptions, _Ways] = {}
        self.observer = text("observer", observer or _user())
        self.count, self.options, self.name = count, options, name
        if name is not None:
            with store.reading() as session:
                self.count, self.options = _begun(session, name)

    @property
    def db(self) -> str:
        """The index's name, without a password; empty for the default ``sdindex.db``."""
        return "" if self._store.db == DEFAULT_INDEX else str(self._store)

    def saved_names(self) -> set[str]:
        """Return the names of the saved samples."""
        with self._store.reading() as session:
            return samples.names(session)

    def draw(self, count: int | str | Share, options: SampleOptions, by: str = "camera") -> Sheet:
        """Draw a sample, changed as the review has decided so far, in groups.

        Parameters
        ----------
        count, options
            As for `sdindex.Index.select`, but the options as `sdindex.SampleOptions`.
        by
            What makes the groups: ``"camera"``, ``"bucket"``, ``"label"``, ``"day"`` or
            ``"burst"``.

        Raises
        ------
        SampleError, ArchiveError, QueryError
            As `sdindex.Index.select` does.
        """
        grouping, wanted = choice("by", by, GROUPINGS), sample_count(count)
        checked_options(options)

        def drawn(session: Session) -> Sheet:
            ways, known = self._ways_of(session, options), self._known(session)
            asked, sample, least = self._sample(session, ways, wanted, known)
            frame = ways.found.frame
            return Sheet(
                asked,
                least,
                len(frame),
                [_by_ids(group, frame.ids) for group in ways.sheets.groups(sample, grouping)],
                ways.sheets.figures(sample),
                {one.image: one for one in known},
                replace(options, review=self.name if known else options.review),
            )

        return self._ask(drawn)

    def decide(
        self,
        image: int,
        what: What,
        count: int,
        options: SampleOptions,
        *,
        within: int | None = None,
        why: str | None = None,
    ) -> None:
        """Store a decision on an image, by its id: ``"kept"``, ``"rejected"`` or ``"left"``.

        Parameters
        ----------
        within
            Also reject all images whose hashes differ from this image's in at most this many bits.
        """
        row, reason = whole("image", image), optional(text, "why", why)
        choice("what", what, decisions.WHAT)
        if within is not None and what != "rejected":
            raise UsageError("within is for what is rejected: leave it out")
        bits = None if within is None else whole("within", within, 0, HASH_BITS)
        with self._deciding(count, options) as (session, review):
            _require_images(session, [row])
            decisions.decide(
                session, review, [row], what, observer=self.observer, within=bits, why=reason
            )

    def annotate(self, image: int, why: str, count: int, options: SampleOptions) -> None:
        """Store a note on an image, by its id."""
        row, reason = whole("image", image), text("why", why)
        with self._deciding(count, options) as (session, review):
            _require_images(session, [row])
            decisions.annotate(session, review, row, reason, observer=self.observer)

    def undo(self) -> int | None:
        """Take back this observer's last decision; return the id of its image, None without one."""
        if self.name is None:
            return None
        with self._store.recording() as session:
            found = decisions.find(session, self.name)
            image = None
            if found is not None:
                image = decisions.undo(session, found.id, observer=self.observer)
            session.commit()
            return image

    def save(self, name: str, count: int | str | Share, options: SampleOptions) -> int:
        """Save the sample under a name; return how many images it has.

        Raises
        ------
        SampleError
            When the name is taken, or cannot be a name.
        """
        named = text("name", name)
        ids, units, asked, again = self.sample(count, options)
        with self._store.recording() as session:
            samples.require_new(session, named)
            samples.save(session, named, asked, again, ids, units)
            session.commit()
        return len(ids)

    def sample(self, count: int | str | Share, options: SampleOptions) -> _Drawn:
        """Return the sample's ids, the ids of their units, the count asked for, and the options."""
        wanted = sample_count(count)
        checked_options(options)

        def drawn(session: Session) -> _Drawn:
            ways, known = self._ways_of(session, options), self._known(session)
            found = ways.found
            asked, sample, _ = self._sample(session, ways, wanted, known)
            again = replace(options, review=self.name if known else options.review)
            if found.leading and known_bits(options) is None:
                again = replace(again, order=found.leading)
            units = None
            if found.unit != "image":
                all_ids = found.frame.ids if found.all_ids is None else found.all_ids
                units = all_ids[found.groups[found.unit][sample]].tolist()
            return found.frame.ids[sample].tolist(), units, asked, again

        return self._ask(drawn)

    def images(self, ids: Sequence[int], *, with_bursts: bool = False) -> dict[int, SampledImage]:
        """Return those of the images that are not missing, by their ids.

        `with_bursts` gives each its burst and event, too.
        """
        wanted, is_told = wholes("ids", ids), flag("with_bursts", with_bursts)
        with self._store.reading() as session:
            there = samples.present(session, wanted)
            rows = [row for row in wanted if row in there]
            units = units_told(session, rows, self.options.clock) if is_told else UnitsTold()
            leading = known_bits(self.options) or ()
            return dict(zip(rows, by_id(session, rows, leading, units), strict=True))

    def around(self, image: int) -> list[Near]:
        """Return the images of an image's burst, and a few before and after it."""
        row = whole("image", image)

        def found(session: Session) -> list[Near]:
            held = self._frame(session)
            at = held.frame.position_of(row)
            if at is None:
                return []
            burst, near = around(held.taken(self.options.clock).starts, at, len(held.frame))
            return [Near(int(held.frame.ids[one]), one in burst) for one in near]

        return self._ask(found)

    def similar(self, image: int, options: SampleOptions, count: int) -> list[tuple[int, int]]:
        """Return the ids of the images most like one, and in how many of 64 bits each differs.

        Only images that pass the filters, and one of each burst.
        """
        row, most = whole("image", image), whole("count", count, 1)
        checked_options(options)

        def found(session: Session) -> list[tuple[int, int]]:
            held = self._frame(session)
            at = held.frame.position_of(row)
            if at is None:
                return []
            frame = self._ways_of(session, options).found.frame
            near = nearest(
                frame,
                int(held.frame.hashes[at]),
                most,
                within=HASH_BITS,
                of_bursts=Clock(),
                own=frame.position_of(row),
            )
            return [(int(frame.ids[one]), bits) for one, bits in near]

        return self._ask(found)

    def _ask(self, question: Callable[[Session], Answer]) -> Answer:
        """Answer a question; with the frame loaded anew where the index changed since."""
        with self._lock:
            try:
                with self._store.reading() as session:
                    return question(session)
            except IndexUnusableError:
                self._held = None
                with self._store.reading() as session:
                    return question(session)

    def _frame(self, session: Session) -> Held:
        if self._held is None or not self._held.is_current(session):
            self._ways.clear()
            self._held = Held(session)
        return self._held

    def _known(self, session: Session) -> list[Known]:
        found = None if self.name is None else decisions.find(session, self.name)
        return [] if found is None else decisions.latest(session, found.id)

    def _ways_of(self, session: Session, options: SampleOptions) -> _Ways:
        held = self._frame(session)
        if options not in self._ways:
            while len(self._ways) >= _KEPT_OPTIONS:
                del self._ways[next(iter(self._ways))]
            self._ways[options] = _ways(session, options, held)
        return self._ways[options]

    def _sample(
        self, session: Session, ways: _Ways, count: Count, known: Sequence[Known]
    ) -> tuple[int, Numbers, int]:
        """Return how many images are asked for, the sample's positions, and its least size."""
        found = ways.found
        asked = images_wanted(count, len(found))
        said = decisions_of(session, self.name) if known else None
        what = Decided() if said is None else decided(said, found.frame)
        least = max(len(found.fixed), len(what.kept))
        require_room(len(found.fixed), len(what.kept), asked)
        if asked not in ways.drawn:
            if len(ways.drawn) >= USUAL_COUNT:
                ways.drawn.clear()
            ways.drawn[asked] = draw(found, asked).positions
        sample = ways.drawn[asked]
        if known:
            sample = reviewed(sample, what, found.kin, asked, found.fixed)
        return asked, sample, least

    @contextmanager
    def _deciding(self, count: int, options: SampleOptions) -> Iterator[tuple[Session, int]]:
        """Give a session for storing a decision, and the id of the review."""
        asked = whole("count", count, 1)
        checked_options(options)
        with self._store.recording() as session:
            name = self.name or decisions.free_name(session)
            yield session, decisions.keep(session, name, asked, options)
            session.commit()
            self.name = name


def _ways(session: Session, options: SampleOptions, held: Held) -> _Ways:
    listed = lists.resolve(session, options)
    found = candidates(session, options, SHEET_COLUMNS, listed, held)
    return _Ways(found, Sheets(found), {})


def _begun(session: Session, name: str) -> tuple[int, SampleOptions]:
    """Return the count and options that a review last had, or that draw a saved sample again."""
    found = decisions.find(session, name)
    if found is not None:
        return found.asked, SampleOptions(**found.options)
    if name not in samples.names(session):
        known = ", ".join(sorted(map(printable, samples.names(session)))) or "none"
        raise SampleError(
            f"there is neither a review nor a sample {printable(name)!r}; the samples are: {known}"
        )
    source = lists.drawn_from(session, name)
    for line in source.lost:
        log.warning("%s", line)
    return max(1, source.there), source.options


def _require_images(session: Session, ids: Sequence[int]) -> None:
    if len(samples.present(session, ids)) < len(set(ids)):
        raise SampleError("an image that the index does not have, or no longer")


def _by_ids(group: Group, ids: Numbers) -> tuple[str, int, list[int]]:
    return group.name, group.images, ids[group.sample].tolist()


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):  # a user id without a name
        return getpass.getuser()
    return "somebody"
