"""Bringing an index up to date: survey each archive, then read what is new or changed."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from sdindex.archive import cameras, excluded
from sdindex.archive.names import printable
from sdindex.archive.roots import root_at, root_of
from sdindex.archive.shards import Shard
from sdindex.errors import ArchiveError, ArchiveUnavailableError, Option, UsageError
from sdindex.hashing.methods import Method
from sdindex.indexing.cameras import tell_if_nothing
from sdindex.indexing.excluded import leaving_out
from sdindex.indexing.executors import FileByFile
from sdindex.indexing.ingest import ReadingOptions, read_listed
from sdindex.indexing.summary import Summary
from sdindex.indexing.survey import survey
from sdindex.store import archive_admin, archives, images
from sdindex.store.archives import Part
from sdindex.store.database import Session, Store

log = logging.getLogger("sdindex")


def update(
    store: Store,
    paths: Sequence[str],
    reading: ReadingOptions,
    *,
    strict: bool = False,
    camera_pattern: str | None = None,
    accept_shift: bool = False,
    accept_loss: bool = False,
    exclude: Sequence[str] | None = None,
    shard: Shard | None = None,
) -> Summary:
    """Bring the index up to date with each folder; see `sdindex.Index.update`."""
    if camera_pattern:
        cameras.camera_pattern(camera_pattern)  # raises before anything is done
    globs = None if exclude is None else excluded.checked(exclude)
    _refuse_both(strict=strict, accept_shift=accept_shift)
    near = [] if accept_loss else [path for path in paths if not root_at(path).is_far]
    for path in near:
        archive_admin.require_folder(path)
    outermost = _outermost(paths)

    def parts(session: Session) -> Iterator[Part]:
        archives.hold_those_of(session, outermost)
        for path in sorted(set(outermost).difference(near)):
            _require_there_or_known(session, path)
        for path in outermost:
            part = _part(session, path, reading.method)
            if shard is not None:
                part = part._replace(archive=archive_admin.set_shard(session, part.archive, shard))
            part = leaving_out(session, part, globs)
            kept = part.archive.camera_pattern
            pattern = kept if camera_pattern is None else camera_pattern or None
            yield _by_these_rules(session, part, pattern)
            if camera_pattern:
                tell_if_nothing(session, part.archive._replace(camera_pattern=camera_pattern))

    return _update(
        store, parts, reading, strict=strict, accept_shift=accept_shift, accept_loss=accept_loss
    )


def update_known(
    store: Store, reading: ReadingOptions, *, strict: bool = False, accept_shift: bool = False
) -> Summary:
    """Bring every known archive that is there up to date; see `sdindex.Index.update`."""
    _refuse_both(strict=strict, accept_shift=accept_shift)
    away: list[str] = []

    def parts(session: Session) -> Iterator[Part]:
        for part in _known(session, reading.method, away):
            yield _by_these_rules(session, part, part.archive.camera_pattern)

    return _update(store, parts, reading, strict=strict, accept_shift=accept_shift, away=away)


def update_files(store: Store, files: Sequence[str], reading: ReadingOptions) -> Summary:
    """Bring the index up to date with single files; see `sdindex.Index.update_files`."""

    def parts(session: Session) -> Iterator[Part]:
        for part in archives.parts_of_files(session, files, reading.method):
            yield _by_these_rules(session, part, part.archive.camera_pattern)

    return _update(store, parts, reading, strict=False)


def _refuse_both(*, strict: bool, accept_shift: bool) -> None:
    if strict and accept_shift:
        raise UsageError(
            Option("strict"),
            " compares what changes with every shift: not with ",
            Option("accept_shift"),
        )


def _by_these_rules(session: Session, part: Part, camera_pattern: str | None) -> Part:
    """Make cameras and sort keys of an archive anew if other rules made them."""
    sorted_anew = archive_admin.set_sort_rule(session, part.archive)
    return part._replace(
        archive=archive_admin.set_camera_rule(session, sorted_anew, camera_pattern)
    )


def _update(
    store: Store,
    parts: Callable[[Session], Iterator[Part]],
    reading: ReadingOptions,
    *,
    strict: bool,
    accept_shift: bool = False,
    accept_loss: bool = False,
    away: list[str] | None = None,
) -> Summary:
    """Bring parts of archives up to date; with `away`, note archives that are away there."""
    started = time.monotonic()
    summary = Summary()
    with (
        _reader(reading) as reading,
        store.writing(create=away is None) as session,
        archives.taking_back_new(session),
    ):
        for part in (part._replace(again=reading.again) for part in parts(session)):
            try:
                bring(
                    session,
                    part,
                    reading,
                    summary,
                    strict=strict,
                    accept_shift=accept_shift,
                    accept_loss=accept_loss,
                )
            except ArchiveUnavailableError as problem:
                if away is None:
                    raise
                session.rollback()
                log.warning("%s", problem)
                away.append(part.archive.root)
        images.frame_up_to_date(session, progress=reading.progress)
        session.commit()
    summary.away = away or []
    summary.seconds = time.monotonic() - started
    return summary


@contextmanager
def _reader(reading: ReadingOptions) -> Iterator[ReadingOptions]:
    """Give the reading options, with the `Batches` of an executor or Dask while the block runs."""
    executor, workers, timeout = reading.executor, reading.workers, reading.timeout
    if reading.dask is None and (executor is None or isinstance(executor, FileByFile)):
        yield reading
        return
    from sdindex.indexing.batches import AHEAD, reading_by
    from sdindex.indexing.dask_cluster import reading_by_dask

    if executor is not None:
        batches = reading_by(executor, workers, timeout)
    else:
        batches = reading_by_dask(cast("str", reading.dask), workers, timeout)
    with batches as by_file:
        yield replace(reading, executor=by_file, ahead=AHEAD)


def bring(
    session: Session,
    part: Part,
    reading: ReadingOptions,
    summary: Summary,
    *,
    strict: bool = False,
    accept_shift: bool = False,
    accept_loss: bool = False,
) -> None:
    """Bring a part of an archive up to date, and commit."""
    surveyed = survey(
        session,
        part,
        strict=strict,
        accept_shift=accept_shift,
        accept_loss=accept_loss,
        workers=1 if reading.executor and reading.dask is None else reading.workers,
        progress=reading.progress,
    )
    session.commit()
    summary.add(part, surveyed)
    if surveyed.to_read:
        images.expect(session, part.archive, surveyed.to_read)
        read_listed(session, part, surveyed.to_read, reading, summary)
    if part.archive.shard is None or not surveyed.unlooked:  # or it is not to be merged yet
        archive_admin.stamp(session, part.archive)
    session.commit()


def _known(session: Session, method: Method | None, away: list[str]) -> Iterator[Part]:
    """Yield the known archives that are there, and note the others in `away`."""
    known = archives.all_archives(session)
    if not known:
        raise ArchiveError("the index knows no archive; name its folder: sdindex index FOLDER")
    for archive in sorted(known):
        session.hold(archive.id, archive.root)
    for archive in archives.all_archives(session):
        if not root_of(archive.root).is_far and not archive_admin.is_there(archive.root):
            away.append(archive.root)
            continue
        if method not in (None, archive.method):
            archive = archive_admin.set_method(session, archive, method)
        part = Part(archive, "")
        if archive.listed:  # the other files of the disk do not belong to it
            there = images.paths_of(session, images.present_ids(session, part))
            part = part._replace(files=frozenset(path for _, path in there))
        yield part


def _outermost(paths: Sequence[str]) -> list[str]:
    """Return the paths without repetitions, and without those inside another one."""
    roots = [archives.real_root(root_at(path)) for path in paths]
    return [
        path
        for number, (path, root) in enumerate(zip(paths, roots, strict=True))
        if not any(
            other.within(root.location()) is not None and (root != other or earlier < number)
            for earlier, other in enumerate(roots)
            if earlier != number
        )
    ]


def _require_there_or_known(session: Session, path: str) -> None:
    """Refuse a folder that is not there, unless it lies in a known archive.

    Whether a known folder in an object store is there, its listing tells.
    """
    part = archives.locate(path, archives.all_archives(session))
    if part is None or not (archives.hold_any(session, part) if part.under else part.root.is_far):
        archive_admin.require_folder(path)


def _part(session: Session, path: str, method: Method | None) -> Part:
    """Return the part of an archive at a path; outside of all archives, a new archive."""
    part = archives.locate(path, archives.all_archives(session))
    if part is None:
        session.lock_archives()
        part = archives.locate(path, archives.all_archives(session))
        if part is None:
            added = archive_admin.add(session, path, method)
            archives.hold_new(session, added)
            return Part(added, "")
        session.commit()  # another program just added it, and may need hours to read it
    part = part._replace(archive=archives.held(session, part.archive))
    if part.archive.listed:
        part = _whole(session, path, part)
    if method is None or method == part.archive.method:
        return part
    if part.under:
        raise ArchiveError(
            f"{printable(path)} is part of an archive hashed with --method {part.archive.method}, "
            f"and two methods do not mix; change the whole: sdindex index --method {method} "
            f"{printable(part.archive.root)}"
        )
    return Part(archive_admin.set_method(session, part.archive, method), "")


def _whole(session: Session, path: str, part: Part) -> Part:
    """Turn a folder into an archive of its own, with the known single files in it."""
    if not part.under:
        return Part(archive_admin.set_whole(session, part.archive), "")
    added = archive_admin.add(session, path, part.archive.method)
    images.give(session, part, added)
    archives.hold_new(session, added)
    return Part(added, "")
