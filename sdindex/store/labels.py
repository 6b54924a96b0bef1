"""Labels of images, kept in the index: from label files, to choose, balance and hand on."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from sdindex.archive.names import printable
from sdindex.errors import ArchiveError, SampleError
from sdindex.exchange.label_files import Label, LabelFile, Place, folders_to_drop, match
from sdindex.store import archives, frames
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.tables import image, label


@dataclass
class LabelImport:
    """What an import stored: `images` that were labelled, `labels` of them, `failures` kept.

    `unmatched` paths are of no image of the index, `ambiguous` ones of several; `example` is
    one of these. `dropped` are the leading folders without which paths were matched.
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


@dataclass(frozen=True, slots=True)
class LabelCount:
    """A label of a source, and how many images have it; None stands for failures."""

    source: str
    label: str | None
    images: int


def import_labels(
    session: Session, file: LabelFile, *, source: str, folder: str | None
) -> LabelImport:
    """Store a file's labels; the caller commits.

    What the same source said before of an image that the file names is replaced.

    Parameters
    ----------
    folder
        What the file's paths are relative to; the archives' roots when it is None.

    Raises
    ------
    ArchiveError
        When the folder lies in no archive.
    LabelFileError
        When the file cannot be read or understood.
    SampleError
        When none of its paths is of an image of the index.
    """
    parts = _parts(session, folder)
    folders = list(parts)

    def held(places: Collection[Place]) -> Collection[Place]:
        return _ids(session, parts, places)

    result = LabelImport(source, dropped=folders_to_drop(file, folders, held))
    cleared: set[int] = set()
    labelled: set[int] = set()
    for chunk in batched(match(file, folders, held, len(result.dropped)), PARAMETERS):
        # What may be of several images is of none: it replaces nothing.
        ids = _ids(session, parts, {places[0] for _, places in chunk if len(places) == 1})
        _clear(session, source, set(ids.values()) - cleared)
        cleared.update(ids.values())
        rows = {
            (ids[places[0]], one.label): {
                "image_id": ids[places[0]], "source": source, **_stored(one)
            }
            for one, places in chunk
            if _counted(result, one, places)
        }  # fmt: skip
        if rows:
            session.execute(label.insert(), list(rows.values()))
        labelled.update(ids[places[0]] for one, places in chunk if one.label and len(places) == 1)
    result.images = len(labelled)
    frames.forget_labels(session, cleared)
    frames.bring_up_to_date(session)
    if not cleared:
        raise SampleError(
            f"none of the paths in {printable(file.path)} is of an image of the index (such as "
            f"{printable(result.example or '')}); say what they are relative to with --relative-to"
        )
    return result


def counts(session: Session) -> list[LabelCount]:
    """Return the labels of each source, the most frequent first."""
    images = sa.func.count(label.c.image_id.distinct())
    rows = session.execute(
        sa.select(label.c.source, label.c.label, images)
        .group_by(label.c.source, label.c.label)
        .order_by(label.c.source, images.desc(), label.c.label)
    )
    return [LabelCount(*row) for row in rows]


def drop(session: Session, source: str) -> int:
    """Forget what a source said; return how many labels. The caller commits.

    Raises
    ------
    SampleError
        When there is no such source.
    """
    of_source = label.c.source == source
    frames.forget_labels(session, session.scalars(sa.select(label.c.image_id).where(of_source)))
    dropped = session.execute(label.delete().where(of_source)).rowcount
    frames.bring_up_to_date(session)
    if not dropped:
        sources = session.scalars(sa.select(label.c.source).distinct().order_by(label.c.source))
        held = ", ".join(map(printable, sources)) or "none"
        raise SampleError(f"no labels are from {printable(source)!r}; there are those of: {held}")
    return dropped


def _parts(session: Session, folder: str | None) -> dict[str, archives.Part]:
    """Return what the paths of a file may be below, by the folder's absolute path."""
    known = archives.all_archives(session)
    if folder is None:
        return {archive.root: archives.Part(archive, "") for archive in known}
    part = archives.locate(folder, known)
    if part is None:
        raise ArchiveError(
            f"{printable(folder)} lies in no archive of this index; its archives: "
            f"{', '.join(printable(archive.root) for archive in known) or 'none'}"
        )
    return {os.path.abspath(folder): part}


def _ids(
    session: Session, parts: dict[str, archives.Part], places: Collection[Place]
) -> dict[Place, int]:
    """Return the ids of the images at those of the places that the index holds."""
    found: dict[Place, int] = {}
    for folder, part in parts.items():
        by_path = {part.under + place.path: place for place in places if place.folder == folder}
        for chunk in batched(by_path, PARAMETERS):
            rows = session.execute(
                sa.select(image.c.path, image.c.id).where(
                    image.c.archive_id == part.archive.id, image.c.path.in_(chunk)
                )
            )
            found.update((by_path[path], row_id) for path, row_id in rows)
    return found


def _counted(result: LabelImport, one: Label, places: Sequence[Place]) -> bool:
    """Count what became of a label, and say whether it is to be stored."""
    if len(places) != 1:
        result.unmatched += not places
        result.ambiguous += bool(places)
        result.example = result.example or one.path
        return False
    result.failures += one.failure is not None
    result.labels += one.label is not None
    return one.label is not None or one.failure is not None


def _stored(one: Label) -> dict[str, object]:
    return {"label": one.label, "confidence": one.confidence, "failure": one.failure}


def _clear(session: Session, source: str, ids: Iterable[int]) -> None:
    for chunk in batched(ids, PARAMETERS):
        session.execute(label.delete().where(label.c.source == source, label.c.image_id.in_(chunk)))
