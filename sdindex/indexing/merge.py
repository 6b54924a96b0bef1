"""Merging the indexes of an archive's shards, with the result of one run over the archive.

For a new archive, rows are copied. A known archive is updated as always, but the files and what was
read of them come from the shards' indexes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from heapq import merge as merged
from itertools import starmap
from pathlib import Path
from typing import Any, cast

from sdindex.archive.names import printable
from sdindex.archive.roots import Identity, Root, root_of
from sdindex.archive.scan import ALL_PATHS, Found, Links, Mounted, Span
from sdindex.archive.shards import shard_number
from sdindex.archive.state import FoundFile
from sdindex.errors import ArchiveError
from sdindex.hashing.picture import ImageRead
from sdindex.indexing.executors import FileByFile
from sdindex.indexing.ingest import ReadingOptions
from sdindex.indexing.outcomes import Refused
from sdindex.indexing.summary import Summary
from sdindex.indexing.update import bring
from sdindex.progress import bar
from sdindex.store import archive_admin, archives, devices, images
from sdindex.store.archives import Archive, Part, all_archives, held, hold_any
from sdindex.store.database import Session, Store
from sdindex.store.fetching import batched
from sdindex.store.shards import ShardIndex, shards_in

_RUN = 1000  # files
_NAMED = 5  # missing shards that an error names


def merge(
    store: Store, names: Sequence[str], *, accept_loss: bool, progress: bool | None
) -> Summary:
    """Merge the indexes of shards; see `sdindex.Index.merge`."""
    started = time.monotonic()
    summary = Summary()
    with ExitStack() as stack:
        found: list[ShardIndex] = []
        for name in names:
            found += _shards(stack, store, name)
        complete = _complete(found)
        session = stack.enter_context(store.writing(create=True))
        stack.enter_context(archives.taking_back_new(session))
        archives.hold_those_of(session, [shards[0].archive.root for shards in complete])
        for shards in complete:
            _join(session, shards, summary, accept_loss=accept_loss, progress=progress)
        images.frame_up_to_date(session, progress=progress)
        session.commit()
    summary.seconds = time.monotonic() - started
    return summary


class _SeenInShards:
    """An archive's root whose files are those in the shards' indexes."""

    def __init__(self, shards: Sequence[ShardIndex]) -> None:
        self._root = root_of(shards[0].archive.root)
        self._shards = shards

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)

    @property
    def is_far(self) -> bool:
        """Return False: nothing is fetched."""
        return False

    def identity(self, under: str = "") -> Identity:
        """Return the same for any folder: the shards' jobs looked whether it is there."""
        return (0,)

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield all files of the shards, in the order of their paths."""
        for path, device in self._shards[0].devices().items():
            yield Mounted(path, device)
        files = merged(*(shard.files() for shard in self._shards))
        yield from batched(starmap(FoundFile, files), _RUN)

    def read(self, path: str) -> ImageRead | Refused:
        """Return what a shard's job read of a file, or that the file was refused."""
        read = self._shards[shard_number(path, len(self._shards)) - 1].read(path)
        if read.error is not None and not read.settled:  # what is known of it stays
            return Refused(read.error, failing=False)
        return read


class _Looking(FileByFile):
    """An executor that looks up what the shards' jobs read."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Return what a shard's job read of a file."""
        seen, path = args[:2]
        future: Future[Any] = Future()
        future.set_result(seen.read(path))
        return future


def _join(
    session: Session,
    shards: Sequence[ShardIndex],
    summary: Summary,
    *,
    accept_loss: bool,
    progress: bool | None,
) -> None:
    """Bring one archive of the index up to date from its shards, which are complete."""
    newest = max(shard.updated_at for shard in shards if shard.updated_at is not None)
    archive = _archive(session, shards)
    before = archive_admin.stamped(session, archive)
    if before is not None and before > newest:
        raise ArchiveError(
            f"the index of {printable(archive.root)} is newer than its shards, and nothing was "
            "merged; run their jobs again first"
        )
    if hold_any(session, Part(archive, "")):
        part = Part(archive, "", seen_at=cast("Root", _SeenInShards(shards)))
        reading = ReadingOptions(1, None, 1.0, _Looking(), progress)
        bring(session, part, reading, summary, accept_loss=accept_loss)
    else:
        _copy(session, archive, shards, summary, progress=progress)
    archive_admin.stamp(session, archive, newest)
    session.commit()


def _archive(session: Session, shards: Sequence[ShardIndex]) -> Archive:
    """Return the archive that the shards belong to; a new one if the index has none."""
    of_shards = shards[0].archive
    known = [archive for archive in all_archives(session) if archive.root == of_shards.root]
    if not known:
        archive = archive_admin.add(session, of_shards.root, of_shards.method)
        archives.hold_new(session, archive)
        archive = archive_admin.set_camera_rule(session, archive, of_shards.camera_pattern)
        return archive_admin.set_excluded(session, archive, of_shards.excluded)
    archive = held(session, known[0])
    if archive.shard is not None:
        raise ArchiveError(
            f"the index to merge into is itself shard {archive.shard} of "
            f"{printable(archive.root)}; name another with --db"
        )
    if archive.method != of_shards.method:
        raise ArchiveError(
            f"{printable(archive.root)} is hashed with --method {archive.method}, and its shards "
            f"with {of_shards.method}, and two methods do not mix; run their jobs again with "
            f"--method {archive.method}"
        )
    if archive.excluded != of_shards.excluded:
        raise ArchiveError(
            f"{printable(archive.root)} leaves out other files in the index than in its shards; "
            "run their jobs again with the same --exclude (sdindex status shows it)"
        )
    return archive


def _copy(
    session: Session,
    archive: Archive,
    shards: Sequence[ShardIndex],
    summary: Summary,
    *,
    progress: bool | None,
) -> None:
    """Copy all rows of the shards into an archive without images."""
    counts = [shard.counts() for shard in shards]
    total = sum(there for there, _ in counts)
    unreadable = sum(unread for _, unread in counts)
    with bar(total, "merging", show=progress) as shown:
        others = [(shard.session, shard.archive) for shard in shards]
        for copied in images.copy(session, archive, others):
            session.commit()
            shown.update(copied)
    devices.remember(session, Part(archive, ""), shards[0].devices())
    summary.found += total
    summary.read += total
    summary.new += total - unreadable
    summary.unreadable += unreadable


def _shards(stack: ExitStack, store: Store, name: str) -> list[ShardIndex]:
    """Open the index of a shard, or of one of several archives each.

    Raises
    ------
    ArchiveError
        When it is no shard's index, or the index to merge into.
    """
    opened = Store(name)
    if store.file is not None and opened.file is not None and _same(store.file, opened.file):
        raise ArchiveError(
            f"{printable(name)} is the index to merge into; name another with --db, as in: "
            "sdindex --db all.db merge shard-*.db"
        )
    stack.callback(opened.close)
    session = stack.enter_context(opened.reading())
    shards, wholes = shards_in(name, session)
    for archive in wholes:
        raise ArchiveError(
            f"{printable(name)} is no shard: it has the whole of {printable(archive.root)}; "
            "shards are made with: sdindex --db SHARD.db index --shard I/N FOLDER"
        )
    if not shards:
        raise ArchiveError(f"{printable(name)} has no archive; run its job again")
    for shard in shards:
        _require_whole(shard)
    return shards


def _require_whole(shard: ShardIndex) -> None:
    name, root = printable(shard.name), printable(shard.archive.root)
    if shard.updated_at is None:
        raise ArchiveError(
            f"{name}: the job of shard {shard.shard} has not read all of {root}: run it again; a "
            "folder that cannot be read is left out with --exclude"
        )
    if not shard.is_current:
        raise ArchiveError(
            f"{name} was made by another version of sdindex, or of its hashes: run its job again"
        )


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _complete(found: Sequence[ShardIndex]) -> list[list[ShardIndex]]:
    """Return the shards of each archive, in order of their numbers.

    Raises
    ------
    ArchiveError
        When one is missing, or does not belong to the others.
    """
    by_root: dict[str, list[ShardIndex]] = defaultdict(list)
    for shard in found:
        by_root[shard.archive.root].append(shard)
    names = {shard.name for shard in found}
    for root, shards in by_root.items():
        others = names.difference(shard.name for shard in shards)
        if others:
            raise ArchiveError(
                f"{printable(min(others))} is no shard of {printable(root)}, as "
                f"{printable(shards[0].name)} is; merge the shards of each archive by themselves"
            )
        shards.sort(key=lambda shard: shard.shard)
        for one in shards[1:]:
            _require_alike(shards[0], one)
        _require_all(root, shards)
    return list(by_root.values())


def _require_alike(first: ShardIndex, other: ShardIndex) -> None:
    names = f"{printable(first.name)} and {printable(other.name)}"
    ours, theirs = first.archive, other.archive
    if first.shard.of != other.shard.of:
        why = f"are of different divisions, shard {first.shard} and shard {other.shard}"
    elif ours.method != theirs.method:
        why = f"were hashed with two methods, {ours.method} and {theirs.method}"
    elif ours.camera_pattern != theirs.camera_pattern:
        why = "have different camera patterns"
    elif ours.excluded != theirs.excluded:
        why = "leave out different files"
    else:
        return
    raise ArchiveError(f"{names} {why}: run the jobs of all shards with the same options")


def _require_all(root: str, shards: Sequence[ShardIndex]) -> None:
    """Refuse shards if one is given twice or is missing."""
    of = shards[0].shard.of
    by_number: dict[int, ShardIndex] = {}
    for shard in shards:
        twice = by_number.setdefault(shard.shard.number, shard)
        if twice is not shard:
            raise ArchiveError(
                f"{printable(twice.name)} and {printable(shard.name)} are both shard "
                f"{shard.shard} of {printable(root)}: name one of them"
            )
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in by_number]
    if missing:
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        raise ArchiveError(
            f"shards of {printable(root)} are missing: {', '.join(missing[:_NAMED])}{more}; name "
            "the indexes of all, and run the jobs of those that have none"
        )
