"""Files that are gone between being listed and being read."""

from array import array
from collections import Counter

from sdindex.archive.losses import Loss, by_folder, lossy
from sdindex.archive.scan import Mounted, Unlooked
from sdindex.indexing.losses import confirmation, is_there
from sdindex.store import devices, images
from sdindex.store.archives import Part
from sdindex.store.database import Session
from sdindex.store.tables import utc_now
from sdindex.store.worklist import FileToRead

_ALL = 1 << 62


class Vanished:
    """Distinguishes deleted files from those of a disk that went away."""

    def __init__(self, session: Session, part: Part) -> None:
        self._session = session
        self._part = part
        self._disks = sorted(devices.remembered(session, part).items())  # outer before inner ones
        self._away: tuple[str, ...] = ()
        self._known = array("q")
        self._folders: Counter[str] = Counter()  # how many files vanished in each folder

    def add(self, file: FileToRead) -> None:
        """Note a file that is gone."""
        self._folders[file.path[: file.path.rfind("/") + 1]] += 1
        if file.image_id is not None:
            self._known.append(file.image_id)
        self.look_after(file.path)

    def look_after(self, path: str) -> None:
        """Check whether the disk of a file that was not given is still mounted."""
        for disk, number in self._disks:
            if not path.startswith(disk):
                continue
            if disk in self._away:
                return
            if next(self._part.root.scan(disk), None) != Mounted(disk, number):
                self._away += (disk,)
                return

    def settle(self) -> list[Unlooked]:
        """Record known files as missing, but those in the folders that are returned.

        These folders are kept as they were: their disks went away, or they lost most of their files
        at once, as when a disk goes away.
        """
        lost = [] if self._part.files is not None else self._lost()  # else single ones were asked
        kept = self._away + tuple(loss.folder for loss in lost)
        known = images.paths_of(self._session, self._known)
        missing = [row for row, path in known if not path.startswith(kept)]
        images.set_missing(self._session, missing, utc_now())
        self._session.commit()
        went = "the disk that was mounted there went away while it was read"
        away = [Unlooked(disk, went, way_out="mount it and index again") for disk in self._away]
        return away + [self._told(loss) for loss in lost]

    def _lost(self) -> list[Loss]:
        vanished = self._folders.elements()
        others = (folder for folder in vanished if not folder.startswith(self._away))
        lost = by_folder(others, self._part.under)
        for folder, files in list(lost.items()):
            still = self._present(folder, files)
            if still < files:  # then files that were not to be read may be gone, too
                lost[folder] = max(files, self._known_below(folder) - still)
            if lost[folder] == 1:  # it was the only file
                del lost[folder]
        return lossy(lost, self._present, self._is_there)

    def _known_below(self, folder: str) -> int:
        return images.present(self._session, self._below(folder), _ALL)

    def _below(self, folder: str) -> Part:
        return self._part._replace(under=folder)

    def _present(self, folder: str, most: int) -> int:
        """Count the images, of any name, that lie in a folder now; return at most `most`."""
        count = 0
        root = self._part.root
        for found in root.scan(folder, links=root.links(folder)):
            count += len(found) if isinstance(found, list) else 0
            if count >= most:
                return most
        return count

    def _is_there(self, folder: str) -> bool:
        return is_there(self._below(folder))

    def _told(self, loss: Loss) -> Unlooked:
        gone = f"{loss.lost:,} of {loss.lost + loss.present:,} images"
        why = f"{gone} went away while they were read"
        confirm = f"confirm it: {confirmation(self._below(loss.folder))}"
        way_out = f"if its disk is away, mount it; if they were deleted, {confirm}"
        return Unlooked(loss.folder, why, way_out=way_out)
