"""Every format of a sample: adding one is a file beside this one, and a line here."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timezone
from importlib import import_module
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from sdindex.exchange.naming import Sampled


class Wishes(NamedTuple):
    """How a sample is to be written, where its format knows several ways.

    Attributes
    ----------
    relative
        Paths relative to their archive's root, in formats whose paths are absolute else.
    utc_offset
        That of the cameras' clocks: EXIF times do not say it.
    results
        Writes what an index knows of images, with relative paths or not.
    """

    relative: bool = False
    utc_offset: timezone | None = None
    results: "Callable[[Collection[Sampled], IO[bytes], bool], object] | None" = None


# Goes over the images as often as it must, never has them all in memory, and writes as it goes.
Writer: TypeAlias = "Callable[[Collection[Sampled], IO[bytes], Wishes], None]"


@dataclass(frozen=True)
class Format:
    """A format of a sample.

    Attributes
    ----------
    name
        As ``--format`` has it.
    writer
        The module in this package, and the `Writer` in it; imported when it is used.
    summary
        What is written, in a few words for the help of ``--format``.
    needs
        The fields of `Wishes` that must be given for this format, and for no other.
    tells_bursts
        Whether it has the burst or the event of each image.
    """

    name: str
    writer: str
    summary: str
    needs: tuple[str, ...] = ()
    tells_bursts: bool = False

    def write(self, images: "Collection[Sampled]", output: IO[bytes], wishes: Wishes) -> None:
        """Write a sample.

        Raises
        ------
        OutputError
            When the format cannot say what would have to be written.
        """
        module, _, function = self.writer.partition(".")
        found = getattr(import_module(f"sdindex.exchange.formats.{module}"), function)
        cast("Writer", found)(images, output, wishes)


FORMATS = {
    known.name: known
    for known in (
        Format("paths", "paths.write_lines", "a path a line"),
        Format("null", "paths.write_null", "paths ended by a zero byte, for xargs -0"),
        Format("csv", "rows.write_csv", "all that is known of each image", tells_bursts=True),
        Format("json", "rows.write_json", "the same as a list of objects", tells_bursts=True),
        Format("megadetector", "megadetector.write", "the list of paths that MegaDetector takes"),
        Format(
            "megadetector-results",
            "megadetector.write_results",
            "the labels and boxes as MegaDetector writes its results",
        ),
        Format(
            "camtrap-dp",
            "camtrap_dp.write",
            "the table media.csv of Camtrap DP",
            ("utc_offset",),
            tells_bursts=True,
        ),
        Format("timelapse", "timelapse.write", "CSV as Timelapse 2 imports it"),
        Format(
            "coco",
            "coco.write",
            "a database of COCO Camera Traps, labels as annotations",
            tells_bursts=True,
        ),
    )
}
