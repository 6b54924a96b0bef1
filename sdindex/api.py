"""The library's one entry: an index, and what can be asked of it and done with it."""

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

    Nothing is opened before the first question, and only `update` may create an index. Errors,
    also of arguments, are `sdindex.SdindexError`s that say what is allowed.

    Parameters
    ----------
    db
        A path means an SQLite file; anything with ``://`` is a SQLAlchemy URL.
    when_stuck
        Called with a line of text, from another thread, when a query of `sql` or an expression
        of ``where`` keeps SQLite inside a single function for a second longer than it may take:
        only the end of the process stops that. By default, it is waited for.

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
        """Draw a varied sample; no image is opened and no folder looked at.

        Images with the same leading bits in their hashes form a bucket. Small buckets are kept
        whole; only the largest are trimmed, by an even stride through natural order.

        Parameters
        ----------
        count
            Images wanted, or a share such as ``"10%"`` of those that pass the filters; all there
            are when the index holds fewer.
        save
            Save the sample in the index under this name.
        with_bursts
            Also find the burst and the event of each image, by `burst_seconds`,
            `burst_distance` and `event_minutes`.
        when_drawn
            Called with a line about what was drawn, and what would be better.
        **options
            Those of `sdindex.SampleOptions`; and ``purpose="labelling"``: bursts, each shown by
            the image in which most moved, evenly over cameras, as far as it is not said otherwise.

        Returns
        -------
        Sample
            A list of `sdindex.SampledImage` in natural order, the same for the same index on every
            run and machine.

        Raises
        ------
        SampleError
            When an option is unknown or out of range, the request is impossible, or hashes of
            two methods would mix.
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
        refuse_idle(options, chosen, told=True)  # which the sample's export may tell
        name = optional(text, "save", save)
        told = flag("with_bursts", with_bursts)
        say = optional(function, "when_drawn", when_drawn)
        with self._store.reading() if name is None else self._store.writing(saving=True) as session:
            listed = lists.resolve(session, chosen)
            sample = selection.select(
                session, wanted, chosen, listed, save=name, told=told, when_drawn=say
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

        The arguments are checked, and a sample is saved, before the first path is asked for.
        No session is open while paths are taken: the index may be written meanwhile.
        Half a million paths take a second, and no memory to speak of.

        Parameters
        ----------
        relative
            Relative to the roots of their archives, with forward slashes; absolute by default.
        count, save, when_drawn, **options
            As for `select`, and so are the errors.

        Examples
        --------
        >>> list(index.paths(2, under="cam0", relative=True))
        ['cam0/IMG_3.JPG', 'cam0/IMG_7.JPG']
        """
        wanted, chosen = sample_count(count), sample_options(**options)
        name = optional(text, "save", save)
        refuse_idle(options, chosen, told=name is not None)
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
        """Return the images of a saved sample that are there, in natural order.

        Parameters
        ----------
        with_bursts
            Also find the burst and the event of each image, as the sample was told to.
        split
            Only this part of a sample that is split, such as ``"train"``.

        Raises
        ------
        SampleError
            When there is none of that name, or no such part of it.
        """
        part, told = optional(text, "split", split), flag("with_bursts", with_bursts)
        with self._store.reading() as session:
            images = selection.saved(session, text("name", name), told=told, split=part)
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
        """Split a saved sample into parts, such as train and val, and keep that in the index.

        Groups stay whole; within that, the parts have their shares of all images and of each label
        as nearly as can be. The same sample is split in the same way on every run and machine.
        Split again, it is split anew.

        Parameters
        ----------
        into
            The parts, and the share of each in percent, such as ``{"train": 80, "val": 20}``.
        by
            ``"camera"``, ``"folder:K"`` (the first K folders of the paths) or ``"event"``: what has
            one of these in common stays together; ``"none"``: each image may come anywhere.
        within
            Also keep near-duplicates together: each group that `duplicates` finds among the
            sample's images, within so many of 64 bits.

        Raises
        ------
        SampleError
            When there is no sample of that name, or it cannot be split so.
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
        """Return what a paper says of a saved sample: of what, how, how good, and how again.

        Raises
        ------
        SampleError
            When there is none of that name, or none of its images is there.
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
        """Return the paths of a saved sample's images that are missing, or unreadable, now.

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
        """Return a review: a sample to be looked at and decided on, drawn again in a moment.

        Parameters
        ----------
        name
            Of a review to go on with, or of a saved sample; by default a new one.
        count, **options
            As for `select`, of the sample with which a new review begins; 100 by default.
        observer
            Who decides; by default the user of this computer.

        Raises
        ------
        SampleError
            When there is neither a review nor a sample of that name.
        UsageError
            When there is a name and more.
        """
        from sdindex.reviewing import USUAL_COUNT  # numpy, for this alone

        if name is not None and (options or count is not None):
            raise UsageError(
                "a review of a name is of what it was: give the name alone, or a count and options"
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
        """Forget a saved sample; its images stay.

        Raises
        ------
        SampleError
            When there is none of that name.
        """
        with self._store.writing(saving=True) as session:
            samples.drop(session, text("name", name))
            session.commit()
