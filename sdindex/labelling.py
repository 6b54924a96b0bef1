"""What labels an index has: imported, counted and removed."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sdindex.archive.names import to_text
from sdindex.arguments import (
    DEFAULT_CLASSIFICATION_THRESHOLD,
    DEFAULT_COLUMN,
    DEFAULT_THRESHOLD,
    AnyPath,
    choice,
    flag,
    fraction,
    optional,
    path,
    stream,
    text,
    texts,
    title,
)
from sdindex.handover import sampled
from sdindex.store import labels
from sdindex.store.labels import LabelCount
from sdindex.store.lookup import ids_of
from sdindex.store.sampled import SampledImage
from sdindex.upkeep import Upkeep

if TYPE_CHECKING:
    from sdindex.exchange.label_export import LabelExport
    from sdindex.exchange.label_import import LabelImport


class Labelling(Upkeep):
    """The part of `sdindex.Index` that is about labels."""

    def labels(self) -> list[LabelCount]:
        """Return the labels of each source, and how many images have them."""
        with self._store.reading() as session:
            return labels.counts(session)

    def import_labels(
        self,
        file: AnyPath,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        classification_threshold: float = DEFAULT_CLASSIFICATION_THRESHOLD,
        column: str = DEFAULT_COLUMN,
        confidence_column: str | None = None,
        source_column: str | None = None,
        relative_to: AnyPath | None = None,
        source: str | None = None,
        form: str | None = None,
        progress: bool | None = False,
    ) -> "LabelImport":
        """Store the labels of a file: MegaDetector's results, a table, or another program's export.

        What people say and what a machine says are sources of their own: a machine's, where the
        file tells them apart and its name is not taken, ends with ``(machine)``.

        Of more than 50,000 images, those before a place where the file is wrong are stored.

        Parameters
        ----------
        threshold
            Ignore detections of a lower confidence, from 0 to 1.
        classification_threshold
            Label a detection with its likeliest species where the confidence of that is no
            lower, else with the detector's category.
        column, confidence_column, source_column
            Read labels, confidences and sources from these columns of CSV; by default from
            those with the usual names, and sources in the observations of Camtrap DP alone.
        relative_to
            Take paths in the file as relative to this folder of an archive; by default to the
            archives' roots.
        source
            Store the labels under this source, instead of what the same source said of these
            images before, whoever the file names; only `source_column` goes before it. By
            default under who the file names, else under the file's name.
        form
            Read the file as ``"megadetector"``, ``"csv"``, ``"camtrap-dp"``, ``"coco"``,
            ``"label-studio"``, ``"cvat"`` or ``"yolo"``; by default that is told by its content.
        progress
            Count images on stderr; None: on a terminal, where it takes over a second.

        Raises
        ------
        LabelFileError
            When the file cannot be read or understood.
        SampleError
            When none of its paths is of an image of the index.
        """
        # For this alone: whoever draws a sample does not wait for every reader.
        from sdindex.exchange.detections import Thresholds
        from sdindex.exchange.label_files import LabelFile
        from sdindex.exchange.label_import import import_labels
        from sdindex.exchange.label_tables import Columns
        from sdindex.exchange.readers.file_formats import KINDS

        name = path("file", file)
        read = LabelFile(
            name,
            thresholds=Thresholds(
                fraction("threshold", threshold),
                fraction("classification_threshold", classification_threshold),
            ),
            columns=Columns(
                text("column", column),
                optional(text, "confidence_column", confidence_column),
                optional(text, "source_column", source_column),
            ),
            kind=None if form is None else choice("form", form, KINDS),
        )
        folder = optional(path, "relative_to", relative_to)
        says = to_text(Path(name).name) if source is None else title("source", source)
        alone = source is not None and source_column is None
        shown = optional(flag, "progress", progress)
        with self._store.writing() as session:
            return import_labels(
                session, read, source=says, folder=folder, alone=alone, progress=shown
            )

    def export_labels(
        self,
        output: IO[bytes],
        images: Iterable[SampledImage] | None = None,
        *,
        source: str | Iterable[str] = (),
        relative: bool = False,
    ) -> "LabelExport":
        """Write what sources say of images as results of MegaDetector's form.

        Paths are those of today, so that results survive a renamed folder: relative to the
        archive's root, or absolute where the images are of several archives. Results that were
        imported are written as they were; another label becomes a detection of a category of
        its own, with the whole image as its box where it has none.

        Parameters
        ----------
        output
            A file that is open for writing bytes.
        images
            A sample; by default all images that are there.
        source
            Whose labels, one or several; by default everyone's.
        relative
            Write relative paths also where the images are of several archives, each below a
            folder of its own.

        Raises
        ------
        SampleError
            When there are no labels, or none of a source.
        """
        from sdindex.exchange.label_export import export_labels

        sources = texts("source", source)
        is_relative, file = flag("relative", relative), stream("output", output)
        chosen = optional(sampled, "images", images)
        with self._store.reading() as session:
            ids = None if chosen is None else ids_of(session, chosen)
            return export_labels(session, file, ids, sources=sources, relative=is_relative)

    def drop_labels(self, source: str) -> int:
        """Forget what a source said of images; return how many labels.

        Raises
        ------
        SampleError
            When there is no such source.
        """
        with self._store.writing() as session:
            dropped = labels.drop(session, text("source", source))
            session.commit()
            return dropped
