"""Finding folders that lost most images at once, and keeping these unless it is confirmed."""

import shlex
from array import array
from collections import Counter
from collections.abc import Iterator, Set

from sdindex.archive.losses import Loss, by_folder, lossy
from sdindex.archive.names import printable
from sdindex.archive.scan import Unlooked
from sdindex.errors import ArchiveUnavailableError
from sdindex.store import devices, images, worklist
from sdindex.store.archives import Part
from sdindex.store.database import Session


class Losses:
    """The images of a part that are gone since the last update, not yet recorded.

    Parameters
    ----------
    gone
        The ids of the images.
    alike
        The ids of gone images that moved, or may have: see `worklist.list_gone`.
    mounted
        Where disks are mounted now: see `sdindex.store.devices.remembered`.
    unlooked
        Files and folders that could not be looked at.
    """

    def __init__(
        self,
        session: Session,
        part: Part,
        gone: "array[int]",
        alike: Set[int],
        mounted: dict[str, int],
        unlooked: list[Unlooked],
    ) -> None:
        self._session = session
        self._part = part
        self._gone = gone
        self._alike = alike
        known = devices.remembered(session, part)
        unseen = tuple(refused.path for refused in unlooked if refused.path.endswith("/"))
        self._unseen = {path: known[path] for path in known if path.startswith(unseen)}
        self._mounted = mounted
        self._away = {
            path: number
            for path, number in known.items()
            if path not in self._unseen and mounted.get(path) != number
        }
        self._kept: list[Loss] = []

    def keep(self, *, confirmed: bool) -> tuple[list[Unlooked], int]:
        """Find the losses that need to be confirmed, and remember where disks are.

        The loss of a disk is confirmed only by naming its own folder, or one below it: naming the
        whole archive may not mean the disk.

        Returns
        -------
        list of Unlooked, int
            The folders that are kept as they were, and how many of their files were taken off the
            list to be read.

        Raises
        ------
        ArchiveUnavailableError
            When the part itself is such a folder.
        """
        under = self._part.under
        self._find({path for path in self._away if not (confirmed and under.startswith(path))})
        if not confirmed:
            self._find()
        dropped = sum(worklist.drop_below(self._session, loss.folder) for loss in self._kept)
        still_away = {loss.folder: self._away[loss.folder] for loss in self._kept if loss.disk}
        devices.remember(self._session, self._part, self._unseen | still_away | self._mounted)
        return [self._told(loss) for loss in self._kept], dropped

    def missing(self) -> "array[int]":
        """Return the ids of images that become missing: all gone ones but those in kept folders."""
        return array("q", (row for row, _ in self._not_kept())) if self._kept else self._gone

    def _find(self, among: Set[str] | None = None) -> None:
        """Find lossy folders, among some folders or all, and keep them."""
        gone = by_folder((path for _, path in self._not_kept()), self._part.under)
        lost = by_folder(
            (path for row, path in self._not_kept() if row not in self._alike), self._part.under
        )
        if among is not None:
            lost = Counter({folder: lost[folder] for folder in among & lost.keys()})

        def present(folder: str, most: int) -> int:
            part = self._part._replace(under=folder)
            return images.present(self._session, part, most + gone[folder]) - gone[folder]

        for loss in lossy(lost, present, self._is_there, self._away):
            if loss.folder == self._part.under:
                raise _part_lost(self._part, loss)
            self._kept.append(loss)

    def _not_kept(self) -> Iterator[tuple[int, str]]:
        folders = tuple(loss.folder for loss in self._kept)
        for row, path in images.paths_of(self._session, self._gone):
            if not path.startswith(folders):
                yield row, path

    def _is_there(self, folder: str) -> bool:
        return is_there(self._part._replace(under=folder))

    def _told(self, loss: Loss) -> Unlooked:
        confirm = f"confirm it: {confirmation(self._part._replace(under=loss.folder))}"
        if loss.disk:
            why = f"the disk that was mounted there is away: {_of_known(loss)}"
            return Unlooked(loss.folder, why, way_out=f"mount it, or, if it is gone, {confirm}")
        way_out = f"if its disk is away, mount it; if they were deleted, {confirm}"
        return Unlooked(loss.folder, _of_known(loss), way_out=way_out)


def is_there(part: Part) -> bool:
    """Say whether the folder of a part is there and can be listed."""
    try:
        part.root.identity(part.under)
    except OSError:
        return False
    return True


def _of_known(loss: Loss) -> str:
    return f"{loss.lost:,} of {loss.lost + loss.present:,} known images are gone"


def confirmation(part: Part) -> str:
    """Return the command that confirms a part's loss."""
    return f"sdindex index --accept-loss {shlex.quote(printable(part.folder))}"


def _part_lost(part: Part, loss: Loss) -> ArchiveUnavailableError:
    return ArchiveUnavailableError(
        f"{printable(part.folder)}: {_of_known(loss)}; is its disk mounted, and not another one? "
        f"What is known of it is kept. If they were deleted, confirm it: {confirmation(part)}"
    )
