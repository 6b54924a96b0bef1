"""Comparing an archive's files with its rows; a large archive in sections, several at once.

For a million unchanged files, folders are listed, rows fetched, and both compared. A section is a
span of paths, for which one process does all three.
"""

from collections.abc import Iterator

from sdindex.archive.changes import AllUnchanged, Change, KnownImage, Vanished, compare
from sdindex.archive.roots import Root
from sdindex.archive.scan import ALL_PATHS, Linked, Links, Span, TooLong, Unlooked
from sdindex.errors import IndexUnusableError
from sdindex.store import known
from sdindex.store.archives import Part
from sdindex.store.database import Session, Store

SECTION_IMAGES = 20_000  # files of a section: a worker takes about a tenth of a second for them
_ENOUGH_SECTIONS = 3  # files; for fewer, starting processes does not pay


def changes(session: Session, part: Part, *, strict: bool, workers: int) -> Iterator[Change]:
    """Yield what became of each file of a part, found or known, in the order of the paths.

    The parameters are those of `sdindex.indexing.survey.survey`. The workers read the index
    themselves, and see the same committed rows as `session`.
    """
    spans = [ALL_PATHS]
    if workers > 1 and part.files is None and not part.root.is_far:
        spans = known.spans(session, part, SECTION_IMAGES)
    links = part.root.links(part.under)
    if len(spans) < _ENOUGH_SECTIONS:
        yield from _compared(session, part.root, part, links=links, strict=strict)
        return
    for change in _in_workers(session.db, part, spans, strict=strict, workers=workers):
        if isinstance(change, Linked):
            # Links are followed here, as that depends on the links before.
            yield from _behind(session, part, change, links, strict=strict)
        else:
            yield change


def _in_workers(
    db: str, part: Part, spans: list[Span], *, strict: bool, workers: int
) -> Iterator[Change]:
    from sdindex.workers import WorkerDiedError, Workers, in_order

    last: Unlooked | TooLong | Linked | None = None
    with Workers(workers, preload=(__name__,)) as pool:
        root = part.root
        jobs = (pool.submit(compare_section, db, root, part, span, strict=strict) for span in spans)
        for future in in_order(jobs, in_flight=2 * workers):
            try:
                found = future.result()
            except WorkerDiedError as problem:
                raise IndexUnusableError(
                    "a process that compared files with the index died, or was killed; "
                    "nothing was changed: index again"
                ) from problem
            for change in found:
                if isinstance(change, Unlooked | TooLong | Linked):
                    if change == last:  # reported by each section that it reaches into
                        continue
                    last = change
                yield change


def compare_section(db: str, root: Root, part: Part, span: Span, *, strict: bool) -> list[Change]:
    """Return the changes in one section. A worker runs this."""
    with Store(db).reading() as session:
        return list(_small(_compared(session, root, part, span, strict=strict)))


def _small(changes: Iterator[Change]) -> Iterator[Change]:
    """Yield the changes in the shortest form to send to another process."""
    unchanged = 0
    for change in changes:
        if isinstance(change, AllUnchanged):
            unchanged += change.files
            continue
        if isinstance(change, Unlooked) and unchanged:  # only their number matters
            yield AllUnchanged(unchanged)
            unchanged = 0
        yield change
    if unchanged:
        yield AllUnchanged(unchanged)


def _behind(
    session: Session, part: Part, link: Linked, links: Links, *, strict: bool
) -> Iterator[Change]:
    """Yield the changes behind a link to a folder."""
    behind = part._replace(under=link.path)
    if links.is_new(behind.folder):
        yield from _compared(session, behind.root, behind, links=links, strict=strict)
    else:
        for row in known.files(session, behind, ALL_PATHS, behind.root.compared(strict=strict)):
            yield Vanished(KnownImage._make(row))


def _compared(
    session: Session,
    root: Root,
    part: Part,
    span: Span = ALL_PATHS,
    links: Links | None = None,
    *,
    strict: bool,
) -> Iterator[Change]:
    fields = root.compared(strict=strict)
    rows = known.files(session, part, span, fields)
    if part.files is not None:
        found = root.look_at(part.files)
    else:
        found = root.scan(part.under, span=span, links=links, excluded=part.archive.excluded)
    shard = part.archive.shard
    return compare(found if shard is None else shard.own(found), rows, fields=fields)
