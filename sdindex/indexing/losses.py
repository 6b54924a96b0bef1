"""Tell folders that lost most of their images at once, and keep them unless it is confirmed."""

import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sdindex.archive.losses import Loss, by_folder, lossy
from sdindex.archive.names import printable
from sdindex.archive.scan import Unlooked
from sdindex.errors import ArchiveUnavailableError
from sdindex.store import devices, images, worklist
from sdindex.store.archives import Part
from sdindex.store.database import Session


class Losses:
    """The images of a part that this survey recorded as missing.

    Parameters
    ----------
    gone
        The ids of the images that are missing since `since`, but for those that turned up
        elsewhere.
    mounted
        Where disks are mounted now: see `sdindex.store.devices.remembered`.
    unlooked
        What could not be looked at.
    """

    def __init__(
        self,
        session: Session,
        part: Part,
        gone: list[int],
        since: datetime,
        mounted: dict[str, int],
        unlooked: list[Unlooked],
    ) -> None:
        self._session = session
        self._part = part
        self._since = since
        self._gone = gone
        known = devices.remembered(session, part)
        unseen = [refused.path for refused in unlooked if refused.path.endswith("/")]
        self._unseen = {
            path: number
            for path, number in known.items()
            if any(path.startswith(folder) for folder in unseen)
        }
        self._mounted = mounted
        self._away = {
            path: number
            for path, number in known.items()
            if path not in self._unseen and mounted.get(path) != number
        }

    def keep(self, *, confirmed: bool) -> tuple[list[Unlooked], int]:
        """Take back the losses that need to be confirmed, and remember where disks are.

        A disk that is away is confirmed by its own folder's name, or one below it: who names
        the whole archive need not mean it.

        Returns
        -------
        list of Unlooked, int
            The folders that are kept as they were, and how many files that were to be read
            are no longer.

        Raises
        ------
        ArchiveUnavailableError
            When the part itself is such a folder.
        """
        under = self._part.under
        disks = {path for path in self._away if not (confirmed and under.startswith(path))}
        lost = self._lost()
        kept = self._kept(Counter({path: lost[path] for path in disks & lost.keys()}))
        if kept:
            lost = self._lost()
        if not confirmed:
            kept += self._kept(lost)
        dropped = sum(worklist.drop_below(self._session, loss.folder) for loss in kept)
        still_away = {loss.folder: self._away[loss.folder] for loss in kept if loss.disk}
        devices.remember(self._session, self._part, self._unseen | still_away | self._mounted)
        return [self._told(loss) for loss in kept], dropped

    def _lost(self) -> "Counter[str]":
        return by_folder((path for _, path in self._paths()), self._part.under)

    def _paths(self) -> Iterator[tuple[int, str]]:
        return images.paths_of(self._session, self._gone, self._since)

    def _kept(self, lost: "Counter[str]") -> list[Loss]:
        kept = lossy(lost, self._left, self._is_there, self._away)
        for loss in kept:
            if loss.folder == self._part.under:
                raise _part_lost(self._part, loss)
            back = [row for row, path in self._paths() if path.startswith(loss.folder)]
            images.set_back(self._session, back)
        return kept

    def _left(self, folder: str, most: int) -> int:
        return images.present(self._session, self._part._replace(under=folder), most)

    def _is_there(self, folder: str) -> bool:
        try:
            self._part.root.identity(folder)
        except OSError:
            return False
        return True

    def _told(self, loss: Loss) -> Unlooked:
        confirm = f"confirm it: {confirmation(self._part._replace(under=loss.folder))}"
        if loss.disk:
            why = f"the disk that was mounted there is away: {_of_known(loss)}"
            return Unlooked(loss.folder, why, way_out=f"mount it, or, if it is gone, {confirm}")
        way_out = f"if its disk is away, mount it; if they were deleted, {confirm}"
        return Unlooked(loss.folder, _of_known(loss), way_out=way_out)


def _of_known(loss: Loss) -> str:
    return f"{loss.lost:,} of {loss.lost + loss.left:,} known images are gone"


def confirmation(part: Part) -> str:
    """Return the command that confirms what a part lost."""
    return f"sdindex index --accept-loss {shlex.quote(printable(part.folder))}"


def _part_lost(part: Part, loss: Loss) -> ArchiveUnavailableError:
    return ArchiveUnavailableError(
        f"{printable(part.folder)}: {_of_known(loss)}; is its disk mounted, and not another one? "
        f"What is known of it is kept. If they were deleted, confirm it: {confirmation(part)}"
    )
