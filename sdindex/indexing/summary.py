"""`Summary`: the result of an update, in numbers and as text."""

import os
from dataclasses import dataclass, field

from sdindex.archive.beside import Beside
from sdindex.archive.names import printable
from sdindex.archive.scan import READABLE, Unlooked
from sdindex.indexing.survey import Survey
from sdindex.store.archives import Part


@dataclass
class Summary:
    """The result of an update in numbers of files, and how long it took.

    Each file found counts once: as `new` or `changed` (read and hashed), `moved`, `unchanged`,
    `unreadable` (now or before), or `skipped` (gone before it was read). A file is `changed` when
    its size or time is another; with `verify`, when its size or hash is. `without_thumbnail` counts
    files that ``--method thumbnail`` had to read whole; `regreyed` unchanged files that were read
    for their greys; `missing` files that were there at the last update and are not now; `read`
    files that were opened. `labels_kept` and `samples_kept` count `changed` images that show
    something else now, and have labels or are in saved samples. `refused` names unreadable files
    that the system did not give, or not in time, with the reasons: what was known of them is kept,
    and they are read again at the next update. `damaged` names, with `verify`, files that are
    broken, were not given, or show something else with the same size and time. `forgotten` counts
    images that are passed over now and were deleted from the index; `kept` those that stay as
    missing, for saved samples. `beside` counts other files. `unlooked` names files and folders that
    could not be looked at, or are kept as they were, with the reasons. `away` are the roots of
    archives that were not there, when all known ones were to be updated.
    """

    found: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    missing: int = 0
    unreadable: int = 0
    skipped: int = 0
    read: int = 0
    without_thumbnail: int = 0
    regreyed: int = 0
    labels_kept: int = 0
    samples_kept: int = 0
    forgotten: int = 0
    kept: int = 0
    seconds: float = 0.0
    unlooked: list[Unlooked] = field(default_factory=list)
    refused: list[Unlooked] = field(default_factory=list)
    damaged: list[Unlooked] = field(default_factory=list)
    beside: Beside = field(default_factory=Beside)
    away: list[str] = field(default_factory=list)

    def add(self, part: Part, surveyed: Survey) -> None:
        """Count the files that a survey settled without reading."""
        self.found += surveyed.found
        self.moved += surveyed.moved
        self.unchanged += surveyed.unchanged
        self.missing += surveyed.missing
        self.unreadable += surveyed.unreadable
        self.forgotten += surveyed.forgotten
        self.kept += surveyed.kept
        self.beside.add(surveyed.beside)
        self.keep(part, surveyed.unlooked)

    def keep(self, part: Part, unlooked: list[Unlooked]) -> None:
        """Note files and folders that could not be looked at, or are kept as they were."""
        self.unlooked += [
            refused._replace(path=_location(part, refused.path)) for refused in unlooked
        ]

    def unlooked_line(self) -> str:
        """Return a line on what could not be looked at, or is kept as it was."""
        first = self.unlooked[0]
        others = f" and {len(self.unlooked) - 1:,} more" if len(self.unlooked) > 1 else ""
        path, why = printable(first.path), first.reason
        refused = first.way_out == READABLE
        told = f"could not look at {path} ({why})" if refused else f"{path}: {why}"
        return f"{told}{others}; what was known there is kept: {first.way_out}"

    def away_line(self) -> str:
        """Return a line on the archives that were not there."""
        roots = ", ".join(map(printable, self.away))
        return (
            f"not there, or not as before: {roots}; what is known of them is kept: mount their "
            "disks; an archive that moved: sdindex relocate OLD NEW; one that is gone for good: "
            "sdindex prune --archive ROOT"
        )

    def damaged_line(self) -> str:
        """Return a line on the damaged files."""
        files = "1 file is" if len(self.damaged) == 1 else f"{len(self.damaged):,} files are"
        return f"{files} damaged, as listed above; bring a good copy back where there is one"

    def __str__(self) -> str:
        counted = (
            f"{self.found:,} files: {self.new:,} new, {self.changed:,} changed, "
            f"{self.moved:,} moved, {self.unchanged:,} unchanged, {self.unreadable:,} unreadable"
        )
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        whole = (
            f", {self.without_thumbnail:,} of them whole, for want of a thumbnail"
            if self.without_thumbnail
            else ""
        )
        greys = f", {self.regreyed:,} of them for their greys" if self.regreyed else ""
        rate = f" ({self.read / self.seconds:,.0f} images/s)" if self.read else ""
        return (
            f"{counted}{skipped}; {self.missing:,} missing; "
            f"{self.read:,} read in {self.seconds:.1f} s{rate}{whole}{greys}"
            f"{self._kept()}{self._refused()}{self._passed_over()}"
            + (f"\nalso there, not indexed: {self.beside}" if self.beside else "")
        )

    def _passed_over(self) -> str:
        """Return a text on images that are passed over now; empty without any."""
        forgotten = f"; {self.forgotten:,} passed over from now on, and forgotten"
        kept = f"; {self.kept:,} passed over from now on, and kept for saved samples as missing"
        return forgotten * bool(self.forgotten) + kept * bool(self.kept)

    def _refused(self) -> str:
        """Return a text on files that were not given; empty without any."""
        if not self.refused:
            return ""
        first = self.refused[0]
        return (
            f"; {len(self.refused):,} not given, the first {printable(first.path)} "
            f"({first.reason}): what was known of them is kept, and they are read next time"
        )

    def _kept(self) -> str:
        """Return a text on labels and samples of images that show something else now."""
        labels = f"{self.labels_kept:,} {'has' if self.labels_kept == 1 else 'have'} labels"
        samples = (
            f"{self.samples_kept:,} {'is' if self.samples_kept == 1 else 'are'} in a saved sample"
        )
        kept = [labels] * bool(self.labels_kept) + [samples] * bool(self.samples_kept)
        if not kept:
            return ""
        return (
            f"; of the changed images that show something else now {' and '.join(kept)}: "
            "look whether these still hold"
        )


def _location(part: Part, path: str) -> str:
    """Return the absolute location of a path; that of a folder ends with a slash, too."""
    location = part.root.location(path)
    if not path.endswith("/"):
        return location
    return location + (os.sep if os.sep in location else "/")
