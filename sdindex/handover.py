"""Handing samples on: their files into folders, and all that is known of them into formats."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Unpack

from sdindex.arguments import (
    AnyPath,
    choice,
    flag,
    function,
    optional,
    path,
    shown,
    stream,
    text,
    texts,
    whole,
)
from sdindex.errors import Option, UsageError
from sdindex.exchange.folders import folder_of_images, new_folder, refuse_foreign
from sdindex.exchange.formats.registry import (
    FORMATS,
    Format,
    WishArguments,
    Wishes,
    wishes_of,
)
from sdindex.hashing.bits import HASH_BITS
from sdindex.questions import Questions
from sdindex.sampling.options import Clock
from sdindex.store import lookup, taxa
from sdindex.store.sampled import SampledImage

if TYPE_CHECKING:
    from sdindex.exchange.copies import FilesPut, How
    from sdindex.exchange.naming import Sampled

_HOW = ("copy", "link", "symlink")


class Handover(Questions):
    """The part of `sdindex.Index` that hands samples on to other programs."""

    def put_files(
        self,
        sample: Iterable[SampledImage],
        folder: AnyPath,
        *,
        how: "How" = "copy",
        name: str = "",
        progress: bool | None = False,
    ) -> "FilesPut":
        """Put the files of a sample below a folder, each at its path in the archive.

        Parameters
        ----------
        sample
            As `sdindex.Index.select` and `sample` return it.
        folder
            It is made where it is not there. Files of an earlier run are kept, and completed.
        how
            ``"copy"``, ``"link"`` (hard links) or ``"symlink"``.
        name
            The sample's name, which the manifest gives.
        progress
            As for `sdindex.Index.update`.

        Returns
        -------
        FilesPut
            How many files are new, how many were there, and of how many the original changed since
            it was indexed.

        Raises
        ------
        OutputError
            When an original is missing, something else has a file's name there, the disk is
            too small, or a file cannot be put. What was put before stays, whole.
        """
        target = path("folder", folder)
        choice("how", how, _HOW)
        text("name", name)
        optional(flag, "progress", progress)
        return self._put(sampled("sample", sample), target, how, name, progress, None)

    def export(
        self,
        sample: Iterable[SampledImage],
        target: "AnyPath | IO[bytes]",
        form: str,
        *,
        how: "How | None" = None,
        source: str | Iterable[str] = (),
        progress: bool | None = False,
        say: Callable[[str], object] | None = None,
        **wishes: Unpack[WishArguments],
    ) -> "FilesPut | None":
        """Write a sample in the format of another program.

        Parameters
        ----------
        sample
            As `sdindex.Index.select` and `sample` return it.
        target
            A file that is open for writing bytes; for formats that are folders, the folder's path.
        form
            The format's name, as ``--format`` has it.
        how
            Also put the image files into the folder: ``"copy"``, ``"link"`` or ``"symlink"``.
            Formats that contain the images need it.
        source
            Write only labels of these sources, in the format ``"megadetector-results"``; by default
            all.
        progress
            As for `sdindex.Index.update`.
        say
            Called with a line of text about what is missing, or left out.
        **wishes
            For all formats: `relative` (write relative paths) and `name` (of the sample). For
            Camtrap DP: `utc_offset`, of the cameras' clocks (a text such as ``"+02:00"``, or a
            ``datetime.timezone``); `without_time`, what to do with images without a time
            (``"fail"`` or ``"skip"``); `deployments`, the path of a CSV with the coordinates and
            periods of cameras. For Label Studio: `url_prefix`, before each path. For Timelapse:
            `label_column` and `flag_column`, the template's columns for the labels, and for true.

        Returns
        -------
        FilesPut
            How many files were put into the folder; None without `how`.

        Raises
        ------
        OutputError
            When the format cannot express the sample, or a file cannot be written.
        UsageError
            When an option is unknown, has no effect in this format, or is missing and needed.
        """
        images, known = sampled("sample", sample), FORMATS[choice("form", form, FORMATS)]
        sources, hear = texts("source", source), optional(function, "say", say)
        optional(flag, "progress", progress)

        def results(some: "Collection[Sampled]", file: IO[bytes], is_relative: bool) -> None:
            from sdindex.exchange.label_export import export_labels

            with self._store.reading() as session:
                ids = lookup.ids_of(session, some)
                done = export_labels(session, file, ids, sources=sources, relative=is_relative)
            if hear is not None:
                hear(str(done))

        wanted = wishes_of(known, wishes)._replace(
            results=results, ranks=self._ranks, say=hear or Wishes().say
        )
        if isinstance(target, str | os.PathLike):
            return self._write_folder(images, path("target", target), known, wanted, how, progress)
        if known.is_folder:
            raise UsageError(f"{known.name} is a folder: target must be its path")
        if how is not None:
            raise UsageError(
                f"{known.name} is a file, without images: put_files puts them in a folder"
            )
        known.write(images, stream("target", target), wanted)
        return None

    def with_units(self, sample: Sequence[SampledImage], clock: Clock) -> list[SampledImage]:
        """Return the images with their bursts and events."""
        images, how = sampled("sample", sample), _clock("clock", clock)
        from sdindex.store import units_told  # numpy, for this alone

        with self._store.reading() as session:
            return units_told.with_units(session, images, how)

    def _write_folder(
        self,
        images: list[SampledImage],
        folder: str,
        known: Format,
        wishes: Wishes,
        how: "How | None",
        progress: bool | None,
    ) -> "FilesPut | None":
        if not known.is_folder:
            raise UsageError(f"{known.name} is a file: target must be a file that is open")
        if how is None:
            if known.has_images:
                raise UsageError(
                    f"{known.name} has the images, too: put them in its folder with --copy-to, "
                    "--link-to or --symlink-to (in Python: how)"
                )
            with new_folder(folder, {image.archive for image in images}) as new:
                known.write(images, new, wishes)
            return None
        choice("how", how, _HOW)
        refuse_foreign(folder)
        targets = known.targets(images)
        put = self._put(images, folder, how, wishes.name, progress, targets)
        with folder_of_images(folder) as there:
            known.write(images, there, wishes)
        return put

    def _put(
        self,
        images: list[SampledImage],
        folder: str,
        how: "How",
        name: str,
        progress: bool | None,
        targets: Sequence[str] | None,
    ) -> "FilesPut":
        from sdindex.exchange.copies import put_files

        with self._store.reading() as session:
            indexed = lookup.recorded(session, images)
        return put_files(
            images,
            folder,
            how=how,
            sample=name,
            progress=progress,
            indexed=indexed,
            targets=targets,
        )

    def _ranks(self, labels: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        with self._store.reading() as session:
            return taxa.ranks_of(session, labels)


def sampled(name: str, sample: object) -> list[SampledImage]:
    """Return the images of a sample as a list; an iterator could be read only once.

    Raises
    ------
    UsageError
        When it is none.
    """
    given = list(sample) if isinstance(sample, Iterable) else [sample]
    images = [image for image in given if isinstance(image, SampledImage)]
    if len(images) != len(given):
        raise UsageError(f"{name} must be images as select, or sample, returns them")
    return images


def _clock(name: str, value: object) -> Clock:
    if not isinstance(value, Clock):
        raise UsageError(
            Option(name), f" must be a sdindex.Clock, such as Clock(seconds=10), not {shown(value)}"
        )
    return Clock(
        whole("seconds", value.seconds, 0),
        None if value.distance is None else whole("distance", value.distance, 0, HASH_BITS),
        whole("minutes", value.minutes, 0),
    )
