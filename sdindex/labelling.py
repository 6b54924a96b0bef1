"""The part of `Index` that is about labels: import, list, export and drop."""

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
        """Return each label of each source, with the number of images that have it."""
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

        Labels by people and labels by a machine are stored as two sources. Where the file tells
        them apart, but does not name the machine, the name of its source ends with ``(machine)``.

        A file of more than 50,000 images is stored in parts: when it turns out to be wrong
        half-way, the parts before stay stored.

        Parameters
        ----------
        threshold
            Ignore detections of a lower confidence, 0 to 1.
        classification_threshold
            Label a detection with its likeliest species when the confidence of the species is at
            least this, 0 to 1; else with the detector's category.
        column, confidence_column, source_column
            The columns of a CSV to read labels, confidences and sources from. By default labels are
            read from ``label``, confidences from ``confidence`` or ``conf``, and sources not at
            all; files of Timelapse and Camtrap DP have columns of their own.
        relative_to
            The folder, inside an archive, that paths in the file are relative to; by default the
            archives' roots.
        source
            The name of the source to store the labels under; it replaces any name in the file, but
            for `source_column`. By default the name in the file, else the name of the file. What
            the same source said of these images before is deleted.
        form
            The file's format: ``"megadetector"``, ``"csv"``, ``"camtrap-dp"``, ``"coco"``,
            ``"label-studio"``, ``"cvat"`` or ``"yolo"``. By default its content shows it.
        progress
            Show a count of images on stderr: always, never, or (None) only on a terminal, after a
            second.

        Raises
        ------
        LabelFileError
            When the file cannot be read or understood.
        SampleError
            When none of its paths is that of an image in the index.
        """
        # Imported here: drawing a sample need not wait for every reader.
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
        """Write the labels and boxes of images as MegaDetector writes its results.

        Paths are the present ones, also where a folder was renamed since the import: relative to
        the archive's root, or absolute where the images are of several archives. Results that were
        imported are written as they were. Any other label becomes a detection, whose category is
        the label, with the whole image as its box where it has none.

        Parameters
        ----------
        output
            A file that is open for writing bytes.
        images
            A sample; by default all images that are there.
        source
            Write only labels of these sources, one or several; by default all.
        relative
            Write relative paths also where the images are of several archives, each below a
            folder of its own.

        Raises
        ------
        SampleError
            When there are no labels, or a source has none.
        """
        from sdindex.exchange.label_export import export_labels

        sources = texts("source", source)
        is_relative, file = flag("relative", relative), stream("output", output)
        chosen = optional(sampled, "images", images)
        with self._store.reading() as session:
            ids = None if chosen is None else ids_of(session, chosen)
            return export_labels(session, file, ids, sources=sources, relative=is_relative)

    def drop_labels(self, source: str) -> int:
        """Delete all labels of a source; return how many they were.

        Raises
        ------
        SampleError
            When there is no such source.
        """
        with self._store.writing() as session:
            dropped = labels.drop(session, text("source", source))
            session.commit()
            return dropped
