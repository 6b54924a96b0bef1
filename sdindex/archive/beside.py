"""Files that lie beside the images of an archive: litter, films, RAW.

Litter is what systems, network disks and other programs leave behind: thumbnails, waste bins,
shadows of files. It may look like images, but nobody took it.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

from sdindex.archive.excluded import Excludes
from sdindex.archive.names import printable

# Names that nobody gives to a folder of images. In lower case: Windows ignores case.
_LITTER_FOLDERS = frozenset(
    {
        # Windows
        "$recycle.bin", "recycler", "system volume information",
        # macOS, also on cards and network disks
        ".trashes", ".trash", ".spotlight-v100", ".fseventsd", ".temporaryitems",
        ".documentrevisions-v100", ".appledouble", ".appledb", ".appledesktop",
        "network trash folder", "__macosx",
        # Linux: thumbnails (Android's, too), and what a file system check found
        ".thumbnails", "lost+found",
        # network disks: Synology, QNAP, NetApp, ZFS
        "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb",
        ".@upload_cache", ".snapshot", ".zfs",
        # Syncthing, Timelapse's pictures of films
        ".stversions", ".stfolder", ".vthumb",
    }
)  # fmt: skip
_TRASH = ".trash-"  # and a user's number, as freedesktop.org has it
# Timelapse's own, beside its database or template.
_TIMELAPSE_FOLDERS = frozenset({"backups", "deletedfiles"})
_TIMELAPSE_FILES = (".ddb", ".tdb")

SHADOW = "._"  # what macOS keeps of a file where the disk has no place for it (AppleDouble)
_LITTER_FILES = {
    "thumbs.db": "Thumbs.db", "ehthumbs.db": "Thumbs.db", "desktop.ini": "desktop.ini",
    ".ds_store": ".DS_Store",
}  # fmt: skip

# What cameras and people put beside images: films and sound, RAW, other formats, packed files.
_FORMATS = frozenset(
    {
        ".mp4", ".avi", ".mov", ".m4v", ".mkv", ".mpg", ".mpeg", ".wmv", ".asf", ".3gp", ".mts",
        ".m2ts", ".webm", ".flv", ".wav", ".mp3",
        ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".orf", ".rw2", ".raf",
        ".dng", ".pef", ".raw", ".rwl", ".srw", ".x3f", ".3fr", ".iiq", ".erf", ".kdc", ".dcr",
        ".mrw",
        ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".gif", ".psd", ".jfif", ".jpe",
        ".jpg_original", ".jpeg_original",
        ".zip", ".rar", ".7z", ".tar", ".tgz",
    }
)  # fmt: skip

FILE, FOLDER = "file", "folder"

# What one scan may spend on counting the files of litter. An entry costs 1; a listing costs as many
# entries as would take the same time.
_MOST_SPENT = 10_000
_LISTING = 100


@dataclass
class Beside:
    """The numbers of files that a scan found beside images.

    `formats` counts files by their suffix, such as ``.MP4``; `litter` the files in folders of
    litter, by the folder's name; `shadows` files of litter among the images; `excluded` the
    excluded files and folders. Where there is very much litter, only some is counted, and `more`
    says so.
    """

    formats: "Counter[str]" = field(default_factory=Counter)
    litter: "Counter[str]" = field(default_factory=Counter)
    shadows: "Counter[str]" = field(default_factory=Counter)
    excluded: "Counter[str]" = field(default_factory=Counter)
    more: bool = False

    def add(self, other: "Beside") -> None:
        """Count what another scan found, too."""
        self.formats += other.formats
        self.litter += other.litter
        self.shadows += other.shadows
        self.excluded += other.excluded
        self.more |= other.more

    def __bool__(self) -> bool:
        return bool(self.formats or self.litter or self.shadows or self.excluded)

    def __str__(self) -> str:
        told = [_told(self.formats)] if self.formats else []
        if self.litter:
            files = sum(self.litter.values())
            names = ", ".join(printable(name) for name, _ in self.litter.most_common())
            told.append(
                f"{'over ' * self.more}{files:,} file{'' if files == 1 else 's'} in {names}"
            )
        if self.shadows:
            told.append(_told(self.shadows))
        if self.excluded:
            told.append(
                " and ".join(
                    f"{self.excluded[kind]:,} {kind}{'' if self.excluded[kind] == 1 else 's'}"
                    for kind in (FILE, FOLDER)
                    if self.excluded[kind]
                )
                + " excluded"
            )
        return "; ".join(told)


class Tally:
    """Counts what a scan passes over.

    Parameters
    ----------
    excludes
        Says whether a path is excluded: see `sdindex.archive.excluded`. None excludes nothing.
    """

    def __init__(self, excludes: Excludes | None = None) -> None:
        self.excludes = excludes
        self.seen = Beside()
        self._spent = 0

    def passes(self, path: str, name: str) -> bool:
        """Say whether a file that is named as an image is passed over, and count it then."""
        if name.startswith(SHADOW):
            self.count(name)
            return True
        return self.leaves_out(path, FILE)

    def leaves_out(self, path: str, kind: str, *, counted: bool = True) -> bool:
        """Say whether a path is excluded, and count it then."""
        is_out = self.excludes is not None and self.excludes(path)
        if is_out and counted:
            self.seen.excluded[kind] += 1
        return is_out

    def count(self, name: str) -> None:
        """Count a file whose name is not that of an image."""
        small = name.lower()
        if small in _LITTER_FILES or small.startswith(SHADOW):
            self.seen.shadows[_LITTER_FILES.get(small, f"{SHADOW}*")] += 1
            return
        suffix = small[small.rfind(".") :]
        if suffix in _FORMATS:
            self.seen.formats[suffix.upper()] += 1

    def count_folder(self, name: str, location: str) -> None:
        """Count the files in a folder of litter."""
        files = self._files(location)
        if files:
            self.seen.litter[name] += files

    def _files(self, location: str) -> int:
        """Return how many files lie below a folder; of very many, only some are counted."""
        files = 0
        folders = [location]
        while folders:
            if self._spent >= _MOST_SPENT:
                self.seen.more = True
                break
            self._spent += _LISTING
            try:
                with os.scandir(folders.pop()) as listing:
                    for entry in listing:
                        self._spent += 1
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        else:
                            files += 1
                        if self._spent >= _MOST_SPENT:
                            break
            except OSError:  # folders of the system that nobody may read
                continue
        return files


def is_litter(name: str, location: str) -> bool:
    """Say whether a folder is litter, by its name and its location."""
    small = name.lower()
    if small in _TIMELAPSE_FOLDERS:
        return _is_timelapse(os.path.dirname(location))
    return small in _LITTER_FOLDERS or small.startswith(_TRASH)


def _is_timelapse(folder: str) -> bool:
    """Say whether Timelapse keeps its database or template in a folder."""
    try:
        return any(name.lower().endswith(_TIMELAPSE_FILES) for name in os.listdir(folder))
    except OSError:
        return False


def _told(counts: "Counter[str]") -> str:
    return ", ".join(f"{files:,} {printable(name)}" for name, files in counts.most_common())
