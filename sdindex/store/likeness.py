"""Images of the index that look alike: the nearest to a hash, and groups of near-duplicates."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import sqlalchemy as sa

from sdindex.arguments import DEFAULT_BITS
from sdindex.errors import SampleError
from sdindex.hashing.bits import unsigned
from sdindex.progress import counter
from sdindex.sampling.frame import Numbers, in_order
from sdindex.sampling.likeness import leaders, nearest, steps
from sdindex.sampling.options import Clock
from sdindex.sampling.units import UNIT_COLUMNS
from sdindex.store.database import Session, Store
from sdindex.store.frames import available
from sdindex.store.loading import load
from sdindex.store.mixing import methods
from sdindex.store.sampled import SampledImage, by_id, paths_later
from sdindex.store.tables import image


@dataclass(frozen=True, slots=True)
class SimilarImage:
    """An image, and in how many of the 64 bits its hash differs from the one asked about."""

    bits: int
    image: SampledImage

    def __fspath__(self) -> str:
        return self.image.path


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """A group of near-duplicates: how many images, and the path of the one that leads."""

    images: int
    path: str


@dataclass(frozen=True, slots=True)
class DuplicateImage:
    """An image of a group of near-duplicates.

    `group` numbers the groups from 1 on, the largest first; `images` is the group's size. `leads`
    says that this is the image that all others of the group are near to.
    """

    group: int
    images: int
    leads: bool
    path: str


class Duplicates:
    """Groups of near-duplicates, the largest first; paths are fetched when they are iterated over.

    Attributes
    ----------
    within
        Each image differs in at most this many of 64 bits from the one that leads its group.
    groups, images
        How many groups there are, and how many images are in them.
    """

    def __init__(self, store: Store, within: int, ids: Numbers, starts: Numbers) -> None:
        self._store, self._ids, self._starts = store, ids, starts
        self.within, self.groups, self.images = within, len(starts), len(ids)

    def __len__(self) -> int:
        return self.groups

    def __repr__(self) -> str:
        return f"Duplicates(within={self.within}, groups={self.groups}, images={self.images})"

    def __iter__(self) -> Iterator[DuplicateGroup]:
        """Yield the groups."""
        sizes = np.diff(self._starts, append=self.images).tolist()
        for images, path in zip(sizes, self._paths(self._ids[self._starts]), strict=True):
            yield DuplicateGroup(images, path)

    def members(self) -> Iterator[DuplicateImage]:
        """Yield the images group by group; in each the leading one first."""
        sizes = np.diff(self._starts, append=self.images).tolist()
        paths = self._paths(self._ids)
        for group, images in enumerate(sizes, 1):
            for leads in (True, *repeat(False, images - 1)):
                yield DuplicateImage(group, images, leads, next(paths))

    def others(self) -> Iterator[str]:
        """Yield the absolute paths of all images that do not lead, which a sample may do without.

        Give them to `sdindex.Index.select` as `exclude`.
        """
        keeps = np.ones(self.images, bool)
        keeps[self._starts] = False
        return self._paths(self._ids[keeps])

    def _paths(self, ids: Numbers) -> Iterator[str]:
        return paths_later(self._store, ids.tolist(), relative=False)


def method_of(session: Session) -> str:
    """Return the method, with version, of all hashes, by which another image must be hashed.

    Raises
    ------
    SampleError
        When there is none, or more than one.
    """
    found = methods(session)
    if len(found) > 1:  # some may be of hashes that are gone
        found = set(session.scalars(sa.select(image.c.method).where(available()).distinct()))
    if len(found) != 1:
        raise SampleError(
            "the index has no image to compare with"
            if not found
            else f"the index has hashes of several methods ({', '.join(sorted(found))}), which do "
            "not compare; bring all archives to one with: sdindex index --method METHOD FOLDER"
        )
    return found.pop()


def similar(
    session: Session,
    dhash: int,
    own: int | None,
    *,
    count: int,
    within: int,
    of_bursts: Clock | None,
) -> list[SimilarImage]:
    """Return the images most like a signed hash; see `sdindex.Index.similar`.

    `own` is the id of the image itself, if it is in the index.
    """
    frame = load(session, () if of_bursts is None else UNIT_COLUMNS)
    own_at = None if own is None else frame.position_of(own)
    found = nearest(frame, unsigned(dhash), count, within=within, of_bursts=of_bursts, own=own_at)
    ids = [int(frame.ids[position]) for position, _ in found]
    images = by_id(session, ids, range(DEFAULT_BITS))
    return [SimilarImage(bits, image) for (_, bits), image in zip(found, images, strict=True)]


def duplicates(store: Store, within: int, *, progress: bool | None) -> Duplicates:
    """Return the groups of near-duplicates; see `sdindex.Index.duplicates`."""
    with store.reading() as session:
        if methods(session):
            method_of(session)
        frame = load(session)
    with counter("comparing", f"of {steps(within)} steps", show=progress, delay=1) as shown:
        leader = leaders(frame.hashes, within, shown.update)
    sizes = np.bincount(leader, minlength=len(frame))
    members = np.flatnonzero(sizes[leader] > 1)
    leader = leader[members]
    # By size, then by the leader's position; in each group the leader first.
    rank = (len(frame) - sizes[leader], leader, (members != leader).astype(np.uint8))
    order = in_order(rank)
    members, leader = members[order], leader[order]
    starts = np.flatnonzero(np.diff(leader, prepend=-1))
    return Duplicates(store, within, frame.ids[members], starts)
