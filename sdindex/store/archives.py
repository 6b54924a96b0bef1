"""The archives of an index, and which one a path belongs to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Literal, NamedTuple

import sqlalchemy as sa

from sdindex.archive.cameras import CAMERA_RULE, camera_of, camera_pattern, root_camera
from sdindex.archive.names import from_text, printable
from sdindex.archive.natural import SORT_RULE, sort_key
from sdindex.archive.roots import Root, root_at, root_of, stored_root
from sdindex.archive.shards import Shard
from sdindex.errors import ArchiveError, IndexUnusableError, UsageError
from sdindex.hashing.methods import DEFAULT_METHOD, METHODS, Method
from sdindex.store.database import Session
from sdindex.store.tables import WrongValueError, from_json, image, utc_now
from sdindex.store.tables import archive as archive_table


class Archive(NamedTuple):
    """An indexed root folder; `root` is its location, as ``os`` functions take it, or a URL.

    The stored cameras were found by `camera_pattern` and the version `camera_rule` of the rule, the
    stored sort keys made by the version `sort_rule`. `excluded` are globs; `listed` says that it is
    made of single files. `shard` is the only shard that the index has, or None for the whole.
    """

    id: int
    root: str
    method: Method
    camera_pattern: str | None = None
    camera_rule: int = CAMERA_RULE
    sort_rule: int = SORT_RULE
    excluded: tuple[str, ...] = ()
    listed: bool = False
    shard: Shard | None = None

    def camera_of(self, path: str) -> str:
        """Return the camera of one of its images, given the path in stored form."""
        pattern = self.camera_pattern
        return camera_of(path, camera_pattern(pattern) if pattern else None) or self.own_camera

    @property
    def own_camera(self) -> str:
        """Return the camera of images that lie in no camera's folder: named after the root."""
        return _camera_at(self.root)


@lru_cache
def _camera_at(root: str) -> str:
    return root_camera(root_of(root).stored())


Again = Literal["all", "without grey"]


class Part(NamedTuple):
    """An archive, or what is below one folder of it, or some of its files.

    `under` is relative, in stored form, and ends with a slash; it is empty for the whole archive.
    `files` are paths in stored form; None means all. `again` says which unchanged images are read
    again: all, those without greys, or none. `seen_at` is the root where the images are looked for,
    if it is not the archive's.
    """

    archive: Archive
    under: str
    files: frozenset[str] | None = None
    again: Again | None = None
    seen_at: Root | None = None

    @property
    def root(self) -> Root:
        """Return the root where its images are looked for."""
        return self.seen_at or root_of(self.archive.root)

    @property
    def folder(self) -> str:
        """Return the folder itself, as ``os`` functions take it."""
        return self.root.location(self.under)

    def images(self) -> sa.ColumnElement[bool]:
        """Return the condition that a row of ``image`` is of this part."""
        inside = image.c.archive_id == self.archive.id
        return inside & below(image.c.path, self.under) if self.under else inside


def below(path: sa.ColumnElement[str], folder: str) -> sa.ColumnElement[bool]:
    """Return the condition that a path lies below a folder, which ends with a slash."""
    # Every path that starts with "a/" sorts from "a/" to before "a0", as 0 follows the slash.
    return (path >= folder) & (path < folder[:-1] + chr(ord("/") + 1))


def all_archives(session: Session) -> list[Archive]:
    """Return the archives in the natural order of their roots."""
    rows = session.execute(
        sa.select(
            archive_table.c.id,
            archive_table.c.root,
            archive_table.c.method,
            archive_table.c.camera_pattern,
            archive_table.c.camera_rule,
            archive_table.c.sort_rule,
            archive_table.c.excluded,
            archive_table.c.listed,
            archive_table.c.shard,
        ).order_by(archive_table.c.sort_key)
    )
    return [
        Archive(
            row.id,
            stored_root(row.root).location(),
            _method(row.method),
            row.camera_pattern,
            row.camera_rule,
            row.sort_rule,
            globs_of(row.excluded),
            row.listed,
            shard_of(row.shard),
        )
        for row in rows
    ]


def held(session: Session, archive: Archive) -> Archive:
    """Lock an archive, so that this program alone may change it; return it as it then is.

    Raises
    ------
    ArchiveError
        When another program deleted or moved it meanwhile.
    """
    session.hold(archive.id, archive.root)
    for known in all_archives(session):
        if (known.id, known.root) == (archive.id, archive.root):
            return known
    raise ArchiveError(
        f"another program has forgotten or moved {printable(archive.root)} meanwhile: nothing "
        "was changed; run it again"
    )


def hold_new(session: Session, archive: Archive) -> None:
    """Lock an archive that was just added, and let other programs see it."""
    session.hold(archive.id, archive.root)
    session.show()


@contextmanager
def taking_back_new(session: Session) -> Iterator[None]:
    """Delete archives that `hold_new` added, if the block fails before images are stored.

    Where others could not see them, the rollback is enough.
    """
    try:
        yield
    except BaseException:
        if session.is_shared:
            none = ~sa.exists().where(image.c.archive_id == archive_table.c.id)
            is_new = session.held(archive_table.c.id) & archive_table.c.updated_at.is_(None)
            with suppress(sa.exc.SQLAlchemyError):  # the first error tells why
                session.rollback()
                session.execute(archive_table.delete().where(is_new, none))
                session.commit()
        raise


def hold_those_of(session: Session, paths: Iterable[str]) -> None:
    """Lock the known archives in which these paths lie."""
    archives = all_archives(session)
    parts = filter(None, (locate(path, archives) for path in paths))
    for archive_id, root in sorted({(part.archive.id, part.archive.root) for part in parts}):
        session.hold(archive_id, root)


def locate(path: str, archives: Iterable[Archive]) -> Part | None:
    """Return the archive, and path, that a path lies in, by its name or through links; or None.

    The innermost, where one archive is made of single files of the whole disk.
    """
    innermost_first = sorted(archives, key=lambda archive: -len(archive.root))
    named = root_at(path)
    for resolve in (_as_named, real_root):
        location = resolve(named).location()
        for archive in innermost_first:
            relative = resolve(root_of(archive.root)).within(location)
            if relative is not None:
                return Part(archive, relative + "/" if relative else "")
    return None


def real_root(root: Root) -> Root:
    """Return the root at a root's location without links."""
    return root_of(root.real())


def _as_named(root: Root) -> Root:
    return root


def parts_under(session: Session, folders: Iterable[str]) -> list[Part]:
    """Return the parts of archives that lie below the folders; the disk is not looked at.

    A folder may lie in an archive, contain archives, or be relative to an archive's root.

    Raises
    ------
    ArchiveError
        When the index holds no image below one of them.
    """
    archives = all_archives(session)
    parts = []
    for folder in folders:
        meant = next(
            (
                reading
                for reading in _readings(folder, archives)
                if any(hold_any(session, part) for part in reading)
            ),
            None,
        )
        if meant is None:
            raise ArchiveError(
                f"the index holds no image below {printable(folder) or 'a folder without a name'}; "
                f"its archives: {listing(archives)}"
            )
        parts += meant
    return parts


def parts_of_files(session: Session, files: Iterable[str], method: Method | None) -> list[Part]:
    """Return, for each archive, the part that consists of these files.

    Files that lie in no archive become a new archive, whose root is that of the disk.
    """
    hold_those_of(session, files)
    archives = all_archives(session)
    listed: dict[Archive, set[str]] = defaultdict(set)
    is_locked = False
    for file in files:
        part = locate(file, archives)
        if part is None and not is_locked:
            session.lock_archives()
            is_locked, archives = True, all_archives(session)
            part = locate(file, archives)
        if part is None:
            named = root_at(file)
            root = root_of(named.outermost())
            archives.append(
                insert(session, root.location(), method_for_new(archives, method), listed=True)
            )
            session.hold(archives[-1].id, archives[-1].root)
            part = Part(archives[-1], f"{root.within(named.location())}/")
        listed[part.archive].add(part.under[:-1])
    session.show()
    return [Part(held(session, archive), "", frozenset(paths)) for archive, paths in listed.items()]


def insert(session: Session, root: str, method: Method, *, listed: bool = False) -> Archive:
    """Add an archive without images; `listed` says that it is made of single files."""
    added = (
        archive_table.insert()
        .values(
            method=method,
            camera_rule=CAMERA_RULE,
            sort_rule=SORT_RULE,
            added_at=utc_now(),
            listed=listed,
            **named(root),
        )
        .returning(archive_table.c.id)
    )
    return Archive(session.scalars(added).one(), root, method, listed=listed)


def globs_of(stored: str | None) -> tuple[str, ...]:
    """Return the globs that are stored with an archive."""
    globs = () if stored is None else tuple(from_json(stored, list))
    if not all(isinstance(glob, str) for glob in globs):
        raise WrongValueError(f"{stored!r} are no globs")
    return globs


def shard_of(stored: str | None) -> Shard | None:
    """Return the shard that is stored with an archive."""
    if stored is None:
        return None
    try:
        return Shard.named(stored)
    except UsageError as problem:
        raise WrongValueError(str(problem)) from problem


def method_for_new(archives: Sequence[Archive], asked: Method | None) -> Method:
    """Return a new archive's method: by default that of the others, to sample them together."""
    return asked or (archives[0].method if archives else DEFAULT_METHOD)


def hold_any(session: Session, part: Part) -> bool:
    """Say whether the index has an image of a part, present or missing."""
    return bool(session.scalar(sa.select(sa.exists().where(part.images()))))


def _readings(folder: str, archives: Sequence[Archive]) -> Iterable[list[Part]]:
    """Yield the parts that a folder's name may mean, the likeliest first."""
    if not folder:
        return
    part = locate(folder, archives)
    yield [part] if part else []
    named, around = root_of(folder), root_at(folder)
    yield [Part(archive, "") for archive in archives if around.within(archive.root) is not None]
    if named.location() != around.location():  # the name is relative to a root
        yield [Part(archive, f"{named.stored()}/") for archive in archives]


def named(root: str) -> dict[str, str | bytes]:
    """Return the columns of an archive that its root decides."""
    stored = root_of(root).stored()
    return {"root": stored, "sort_key": sort_key(from_text(stored))}


def _method(name: str) -> Method:
    for method in METHODS:
        if method == name:
            return method
    raise IndexUnusableError(
        f"this program knows no method {name!r}; upgrade with: pip install --upgrade sdindex"
    )


def listing(archives: Iterable[Archive]) -> str:
    """Return the roots of archives as text for an error."""
    return ", ".join(printable(archive.root) for archive in archives) or "none"
