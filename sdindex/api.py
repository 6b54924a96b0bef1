"""`Index`, the library's entry: what can be asked of an index, and done with it."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Unpack

from sdindex.arguments import (
    flag,
    function,
    optional,
    positive,
    shown,
    text,
    whole,
)
from sdindex.errors import UsageError
from sdindex.exchange import lists
from sdindex.hashing.bits import HASH_BITS
from sdindex.labelling import Labelling
from sdindex.sample import Sample
from sdindex.sampling.count import Count, sample_count
from sdindex.sampling.idle import refuse_idle
from sdindex.sampling.options import SampleArguments, SampleOptions, sample_options
from sdindex.store import samples, selection
from sdindex.store.sampled import AT_ONCE, paths_by_id, paths_later
from sdindex.store.samples import SavedSample

if TYPE_CHECKING:
    from sdindex.exchange.card import SampleCard
    from sdindex.reviewing import Review
    from sdindex.store.splits import SplitPart


class Index(Labelling):
    """An index of camera-trap archives.

    Nothing is opened before the first call of a method. Only `update`, `update_files` and `merge`
    create an index. All errors, of arguments too, are `sdindex.SdindexError`s, which say what to
    do.

    Parameters
    ----------
    db
        A path means an SQLite file; anything with ``://`` is a SQLAlchemy URL.
    when_stuck
        Called with a line of text, from another thread, when a query of `sql` or an expression of
        ``where`` stays inside a single function of SQLite for a second beyond its time: only the
        end of the process stops that. By default it is waited for.

    Examples
    --------
    >>> from sdindex import Index
    >>> with Index("sdindex.db") as index:
    ...     summary = index.update("archive")
    ...     sample = index.select(4, balance="camera")
    >>> summary.found, len(sample)
    (12, 4)
    """

    def select(
        self,
        count: int | str,
        *,
        save: str | None = None,
        with_bursts: bool = False,
        when_drawn: Callable[[str], object] | None = None,
        **options: Unpack[SampleArguments],
    ) -> Sample:
        """Draw a varied sample, from the index alone: no image or folder is opened.

        Images with the same leading bits in their hashes form a bucket. Small buckets are kept
        whole; only the largest are trimmed, by an even stride through natural order.

        Parameters
        ----------
        count
            Images wanted, at least 1, or a share such as ``"10%"`` of the images that pass the
            filters. Where fewer pass, the sample is all of them.
        save
            Also save the sample in the index, under this name.
        with_bursts
            Also give each image its burst and event, by the options `burst_seconds`,
            `burst_distance` and `event_minutes`.
        when_drawn
            Called with a line of text: what was drawn, and which options would draw better.
        **options
            Those of `sdindex.SampleOptions`; and ``purpose="labelling"``, which means
            ``unit="burst"``, ``show="moved"``, ``order="centre"`` and ``balance="camera"``, each
            unless it is given.

        Returns
        -------
        Sample
            A list of `sdindex.SampledImage` in natural order, the same for the same index on every
            run and machine.

        Raises
        ------
        SampleError
            When an option is unknown, out of range or without effect, the sample cannot be drawn,
            or hashes of two methods would mix.
        ArchiveError
            When the index holds no image below one of `under`.

        Examples
        --------
        >>> [image.relative_path for image in index.select(2, under="cam0")]
        ['cam0/IMG_3.JPG', 'cam0/IMG_7.JPG']
        >>> index.select(2, balance="colour")
        Traceback (most recent call last):
        sdindex.errors.SampleError: balance is camera, label, label:RANK ...
        """
        wanted, chosen = sample_count(count), sample_options(**options)
        refuse_idle(options, chosen, with_bursts=True)  # which the sample's export may write
        name = optional(text, "save", save)
        told = flag("with_bursts", with_bursts)
        say = optional(function, "when_drawn", when_drawn)
        with self._store.reading() if name is None else self._store.writing(saving=True) as session:
            listed = lists.resolve(session, chosen)
            sample = selection.select(
                session, wanted, chosen, listed, save=name, with_bursts=told, when_drawn=say
            )
            if name is not None:
                session.commit()
        return Sample(sample, self, chosen, partial(self._review, name, wanted, chosen))

    def paths(
        self,
        count: int | str,
        *,
        relative: bool = False,
        save: str | None = None,
        when_drawn: Callable[[str], object] | None = None,
        **options: Unpack[SampleArguments],
    ) -> Generator[str, None, None]:
        """Draw the sample that `select` draws, and yield its paths alone, as they are fetched.

        The sample is drawn, and saved, by the call itself. No transaction is open while paths are
        taken, so the index may be written meanwhile. Half a million paths take a second, and are
        never all in memory.

        Parameters
        ----------
        relative
            Yield paths relative to the roots of their archives, with forward slashes; by default
            absolute ones.
        count, save, when_drawn, **options
            As for `select`, and so are the errors.

        Examples
        --------
        >>> list(index.paths(2, under="cam0", relative=True))
        ['cam0/IMG_3.JPG', 'cam0/IMG_7.JPG']
        """
        wanted, chosen = sample_count(count), sample_options(**options)
        name = optional(text, "save", save)
        refuse_idle(options, chosen, with_bursts=name is not None)
        is_relative = flag("relative", relative)
        say = optional(function, "when_drawn", when_drawn)
        if name is None:
            return self._paths_drawn(wanted, chosen, say, relative=is_relative)
        with self._store.writing(saving=True) as session:
            listed = lists.resolve(session, chosen)
            found = selection.drawn_ids(session, wanted, chosen, listed, save=name, when_drawn=say)
            session.commit()
        return self._paths_of(found.ids, relative=is_relative)

    def _paths_drawn(
        self,
        count: Count,
        chosen: SampleOptions,
        say: Callable[[str], object] | None,
        *,
        relative: bool,
    ) -> Generator[str, None, None]:
        with self._store.reading() as session:
            listed = lists.resolve(session, chosen)
            found = selection.drawn_ids(session, count, chosen, listed, save=None, when_drawn=say)
            paths = [*paths_by_id(session, found.ids[:AT_ONCE], relative=relative)]
        yield from paths
        yield from paths_later(self._store, found.ids[AT_ONCE:], relative=relative)

    def _paths_of(self, ids: Sequence[int], *, relative: bool) -> Generator[str, None, None]:
        yield from paths_later(self._store, ids, relative=relative)

    def samples(self) -> list[SavedSample]:
        """Return the saved samples, the oldest first."""
        with self._store.reading() as session:
            return samples.listing(session)

    def sample(self, name: str, *, with_bursts: bool = False, split: str | None = None) -> Sample:
        """Return the images of a saved sample, without those missing now, in natural order.

        Parameters
        ----------
        with_bursts
            Also give each image its burst and event, by the options that the sample was drawn by.
        split
            Only the images of this part, such as ``"train"``, of a sample that is split.

        Raises
        ------
        SampleError
            When there is no sample of that name, or it has no such part.
        """
        part, told = optional(text, "split", split), flag("with_bursts", with_bursts)
        with self._store.reading() as session:
            images = selection.saved(session, text("name", name), with_bursts=told, split=part)
            options = selection.grouped_as(session, name)
        begin = partial(self._review, name, sample_count(1), SampleOptions())
        return Sample(images, self, options, begin)

    def split(
        self,
        name: str,
        into: Mapping[str, float],
        *,
        by: str = "camera",
        within: int | None = None,
    ) -> "list[SplitPart]":
        """Split a saved sample into parts, such as train and val, and store that in the index.

        Each group of images (see `by`) comes into one part as a whole. Within that, each part has
        its share of all images, and of each label, as nearly as can be. The same sample is split in
        the same way on every run and machine. A new split replaces the old one.

        Parameters
        ----------
        into
            Two parts or more, each with its share in percent, such as ``{"train": 80, "val": 20}``;
            they add up to 100.
        by
            What makes a group: ``"camera"``, ``"folder:K"`` (the first K folders of the path) or
            ``"event"``; with ``"none"`` each image is a group by itself.
        within
            Also keep near-duplicates together: each group that `duplicates` finds among the
            sample's images, within this number of the 64 bits.

        Raises
        ------
        SampleError
            When there is no sample of that name, or it cannot be split in this way.
        """
        from sdindex.store import splits  # numpy

        if not isinstance(into, Mapping):
            raise UsageError(
                "into must be parts with their shares in percent, such as "
                f"{{'train': 80, 'val': 20}}, not {shown(into)}"
            )
        given = {text("into", part): positive("into", share) for part, share in into.items()}
        most = None if within is None else whole("within", within, 0, HASH_BITS)
        how = splits.splitting(given, text("by", by), most)
        with self._store.writing(saving=True) as session:
            parts = splits.split_sample(session, text("name", name), how)
            session.commit()
            return parts

    def card(self, name: str) -> "SampleCard":
        """Return a saved sample's card: what a paper says of it, and how to draw it again.

        Raises
        ------
        SampleError
            When there is no sample of that name, or all its images are missing now.
        """
        from sdindex.exchange.card import SampleCard
        from sdindex.store import splits  # numpy

        wanted = text("name", name)
        with self._store.reading() as session:
            images, split = selection.saved(session, wanted), splits.how_split(session, wanted)
            (known,) = (each for each in samples.listing(session) if each.name == wanted)
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        for image in images:
            for source, label in sorted({(said.source, said.label) for said in image.said}):
                labels[source][label] += 1
        times = [image.taken_at for image in images if image.taken_at is not None]
        lines = "".join(f"{image.relative_path}\n" for image in images)
        parts = dict(Counter(image.split for image in images if image.split is not None))
        return SampleCard(
            known.name,
            known.made_at,
            known.program,
            known.asked,
            known.drawn_from,
            known.options,
            len(images),
            known.missing,
            dict(Counter(image.archive for image in images)),
            len({(image.archive, image.camera) for image in images}),
            min(times, default=None),
            max(times, default=None),
            {source: dict(of.most_common()) for source, of in sorted(labels.items())},
            self.quality(name=wanted).measures,
            None if split is None else {**split._asdict(), "parts": parts},
            sha256(os.fsencode(lines)).hexdigest(),
        )

    def missing_of(self, name: str) -> list[str]:
        """Return the absolute paths of a saved sample's images that are missing or unreadable now.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.reading() as session:
            return samples.missing(session, text("name", name))

    def review(
        self,
        name: str | None = None,
        count: int | str | None = None,
        *,
        observer: str | None = None,
        **options: Unpack[SampleArguments],
    ) -> "Review":
        """Return a review: a sample that people look at, and keep or reject image by image.

        Parameters
        ----------
        name
            Go on with the review of this name, or review the saved sample of this name. By default
            a new review begins.
        count, **options
            Those of `select`, of the sample that a new review begins with; `count` is 100 by
            default.
        observer
            Whose decisions they are; by default the name of the user of this computer.

        Raises
        ------
        SampleError
            When there is neither a review nor a sample of that name.
        UsageError
            When both a name and a count or options are given.
        """
        from sdindex.reviewing import USUAL_COUNT  # numpy, for this alone

        if name is not None and (options or count is not None):
            raise UsageError(
                "a review with a name keeps its count and options: give the name alone, or no name"
            )
        return self._review(
            optional(text, "name", name),
            sample_count(USUAL_COUNT if count is None else count),
            sample_options(**options),
            optional(text, "observer", observer),
        )

    def _review(
        self, name: str | None, count: Count, options: SampleOptions, observer: str | None
    ) -> "Review":
        from sdindex.reviewing import Review  # numpy, for this alone

        return Review(self._store, name, count, options, observer)

    def drop_sample(self, name: str) -> None:
        """Delete a saved sample; its images stay in the index.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.writing(saving=True) as session:
            samples.drop(session, text("name", name))
            session.commit()
