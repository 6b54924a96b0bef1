"""Importing a label file: matching its paths to images, and storing the labels."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sdindex.archive.names import printable
from sdindex.errors import Option, SampleError
from sdindex.exchange.detections import Label, Remarks, Renumbering, as_record, joined, named
from sdindex.exchange.label_files import LabelFile
from sdindex.exchange.matching import Matcher
from sdindex.progress import counter
from sdindex.store import results, taxa
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.labels import LabelWriter, Said, human_sources

_CHUNKS_OF_PART = 10

log = logging.getLogger("sdindex")


@dataclass
class LabelImport:
    """The result of an import: numbers of labelled `images`, their `labels`, and `failures`.

    `unmatched` counts paths of no image in the index, `ambiguous` paths of several; `example` is
    the first of these. `dropped` are leading folders that were left out to match paths.
    """

    source: str
    images: int = 0
    labels: int = 0
    failures: int = 0
    unmatched: int = 0
    ambiguous: int = 0
    example: str | None = None
    dropped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.images:,} images labelled: {self.labels:,} labels"]
        parts += [f"{self.failures:,} failures kept"] if self.failures else []
        text = f"{', '.join(parts)} from {printable(self.source)}"
        if self.dropped:
            text += f"; paths were matched without {printable('/'.join(self.dropped))}/"
        if self.unmatched or self.ambiguous:
            text += f"; {self.unmatched:,} paths match no image of the index"
            text += f", {self.ambiguous:,} several" if self.ambiguous else ""
            text += f" (such as {printable(self.example or '')})"
        return text


def import_labels(
    session: Session,
    file: LabelFile,
    *,
    source: str,
    folder: str | None,
    alone: bool = False,
    progress: bool | None = False,
) -> LabelImport:
    """Store a file's labels, in parts where they are many.

    Earlier labels of the same source are replaced for the images in the file. Each part is
    committed by itself, as one transaction would need memory for all.

    Parameters
    ----------
    source
        The source of labels for which the file names none; for a machine's labels, where the file
        tells them from people's, with ``(machine)`` at its end.
    alone
        Whether it is the source of all labels, whatever the file names.
    folder
        The folder that the file's paths are relative to: see `sdindex.exchange.matching.Matcher`.
    progress
        Show a count of images: always, never, or (None) only on a terminal, after a second.

    Raises
    ------
    ArchiveError
        When the folder lies in no archive.
    LabelFileError
        When the file cannot be read or understood.
    SampleError
        When it has no paths, or none is that of an image in the index.
    """
    matcher = Matcher(session, folder)
    result = LabelImport(source, dropped=matcher.folders_to_drop(file.paths()))
    writer = _Writer(session, file, source, alone=alone)
    matched, last = False, ""
    recorded = writer.recorded(file.remarks())
    with counter("importing", "images", show=progress, delay=1) as shown:
        for number, chunk in enumerate(batched(recorded, PARAMETERS), 1):
            paths = list(dict.fromkeys(path for path, _, _ in chunk))
            ids = dict(zip(paths, matcher.ids(paths, len(result.dropped)), strict=True))
            for path in paths[paths[0] == last :]:  # the labels of one image may be in two chunks
                matched |= _counted(result, path, len(ids[path]))
            last = paths[-1]
            shown.update(len(paths))
            # A path of several images counts for none: it replaces nothing.
            writer.store(chunk, {path: found[0] for path, found in ids.items() if len(found) == 1})
            if number % _CHUNKS_OF_PART == 0 and matched:
                session.commit()
    if not last:
        raise SampleError(f"{printable(file.path)} has no image in it")
    if not matched:
        raise SampleError(
            f"none of the paths in {printable(file.path)} is of an image of the index (such as "
            f"{printable(result.example or '')}); say what they are relative to with ",
            Option("relative_to"),
        )
    writer.store_others(file)
    result.images, result.labels, result.failures = writer.labels.finish()
    result.source = ", ".join(sorted(writer.sources)) or source
    session.commit()
    return result


# What a file says of an image: its path, its labels, and its results as JSON or None.
_Recorded = tuple[str, list[Label], str | None]


class _Writer:
    """Stores labels, with the results and taxonomy that they come from."""

    def __init__(self, session: Session, file: LabelFile, source: str, *, alone: bool) -> None:
        self._session = session
        self._source = source
        self._alone = alone
        self._renumbering = Renumbering({}, {})
        # A person's label that went out and came back as a prediction is still that person's.
        self._people = human_sources(session)
        self.labels = LabelWriter(session)
        self.sources: set[str] = set()
        if file.header is not None:
            known = results.header_of(session, source) or {}
            header, self._renumbering = joined(known, file.header)
            results.store_header(session, source, header)
            taxa.store(session, named(file.header))

    def store_others(self, file: LabelFile) -> None:
        """Store the members of results that the format does not know; call it after iterating."""
        others = file.others
        if others.found:
            known = results.header_of(self._session, self._source) or {}
            results.store_header(self._session, self._source, joined(known, others.found)[0])
        if others.left:
            log.warning(
                "%s: not kept, as of what the format does not know a million characters are: %s",
                printable(file.path), printable(", ".join(others.left)[:200]),
            )  # fmt: skip

    def recorded(self, remarks: Iterable[Remarks]) -> Iterator[_Recorded]:
        """Yield what a file says of images, with the results of each image as text.

        As text, because Python's garbage collector would visit the lists and numbers of thousands
        of images again and again: a third of an import's time.
        """
        for path, labels, image in remarks:
            record = None
            if image is not None:
                record = as_record(self._renumbering.of(image) if self._renumbering else image)
            yield path, labels, record

    def store(self, chunk: Sequence[_Recorded], ids: Mapping[str, int]) -> None:
        """Store a chunk; `ids` are the images by path."""
        said: dict[str, list[Said]] = defaultdict(list)
        of: dict[str, dict[int, None]] = defaultdict(dict)  # images by source, in order, each once
        records: dict[int, str] = {}
        for path, labels, record in chunk:
            image_id = ids.get(path)
            if image_id is None:
                continue
            if record is not None:
                records[image_id] = record
            for _, name, confidence, failure, bbox, by, human in labels:
                ours = f"{self._source} (machine)" if human is False else self._source
                source = ours if self._alone else by or ours
                of[source][image_id] = None
                if name is not None or failure is not None:
                    is_human = bool(human) or source in self._people
                    remark = Said(image_id, name, confidence, failure, bbox, is_human)
                    said[source].append(remark)
        for source, images in of.items():
            self.labels.replace(source, images, said[source])
            results.replace(self._session, source, records, instead_of=images)
        self.sources |= of.keys()


def _counted(result: LabelImport, path: str, images: int) -> bool:
    """Say whether a path is that of exactly one image; count it if not."""
    if images != 1:
        result.unmatched += not images
        result.ambiguous += bool(images)
        result.example = result.example or path
    return images == 1
