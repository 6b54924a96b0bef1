"""Storing what a label file says of the images that its paths mean."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.exchange.label_files import Label, LabelFile
from sdindex.exchange.matching import Matcher
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.labels import LabelWriter, Said


@dataclass
class LabelImport:
    """What an import stored: `images` that were labelled, `labels` of them, `failures` kept.

    `unmatched` paths are of no image of the index, `ambiguous` ones of several; `example` is
    the first of these. `dropped` are the leading folders without which paths were matched.
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
    session: Session, file: LabelFile, *, source: str, folder: str | None
) -> LabelImport:
    """Store a file's labels; the caller commits.

    What the same source said before of an image that the file names is replaced.

    Parameters
    ----------
    folder
        What the file's paths are relative to: see `sdindex.exchange.matching.Matcher`.

    Raises
    ------
    ArchiveError
        When the folder lies in no archive.
    LabelFileError
        When the file cannot be read or understood.
    SampleError
        When it has no paths, or none of them is of an image of the index.
    """
    matcher = Matcher(session, folder)
    result = LabelImport(source, dropped=matcher.folders_to_drop(file.paths()))
    writer = LabelWriter(session, source)
    matched, last = False, ""
    for chunk in batched(file, PARAMETERS):
        paths = list(dict.fromkeys(label.path for label in chunk))
        ids = dict(zip(paths, matcher.ids(paths, len(result.dropped)), strict=True))
        for path in paths[paths[0] == last :]:  # an image's labels may be in two chunks
            matched |= _counted(result, path, len(ids[path]))
        last = paths[-1]
        # What may be of several images is of none: it replaces nothing.
        unambiguous = {path: found[0] for path, found in ids.items() if len(found) == 1}
        writer.replace(unambiguous.values(), _said(chunk, unambiguous))
    if not last:
        raise SampleError(f"{printable(file.path)} has no image in it")
    if not matched:
        raise SampleError(
            f"none of the paths in {printable(file.path)} is of an image of the index (such as "
            f"{printable(result.example or '')}); say what they are relative to with --relative-to"
        )
    result.images, result.labels, result.failures = writer.finish()
    return result


def _counted(result: LabelImport, path: str, images: int) -> bool:
    """Say whether a path is of exactly one image, and count it if not."""
    if images != 1:
        result.unmatched += not images
        result.ambiguous += bool(images)
        result.example = result.example or path
    return images == 1


def _said(labels: Iterable[Label], ids: Mapping[str, int]) -> Iterator[Said]:
    for label in labels:
        if label.path in ids and (label.label is not None or label.failure is not None):
            yield Said(ids[label.path], label.label, label.confidence, label.failure)
