"""All formats of a sample. A new format: a file beside this one, and a line here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timezone
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict

from sdindex.arguments import AnyPath, choice, flag, optional, path, text, utc_offset
from sdindex.errors import Option, UsageError

if TYPE_CHECKING:
    from sdindex.exchange.folders import Folder
    from sdindex.exchange.naming import Sampled


_FOR_ALL = ("relative", "name")
_NEEDED = {
    "utc_offset": (
        " wants times with the offset of the cameras' clocks from UTC, which EXIF times do not "
        "have; give it with ",
        Option("utc_offset"),
        ", such as +01:00",
    )
}


def _nobody(line: str) -> None:
    """Ignore a line."""


class Wishes(NamedTuple):
    """The options of the formats.

    Attributes
    ----------
    relative
        Write paths relative to the archive's root, in formats with absolute paths.
    utc_offset
        The UTC offset of the cameras' clocks, which EXIF times do not have.
    without_time
        What to do when the format requires a time and an image has none.
    deployments
        A CSV with the coordinates and periods of cameras.
    url_prefix
        The beginning of an image's URL, before its path.
    label_column, flag_column
        The columns for the labels, and for a mark of the sample's images.
    name
        The sample's name; empty without one.
    results
        Called with images, a file and whether paths are relative: writes MegaDetector's results.
    ranks
        Called with labels: returns their names by rank.
    say
        Called with a line of text about what is missing or left out.
    """

    relative: bool = False
    utc_offset: timezone | None = None
    without_time: Literal["fail", "skip"] = "fail"
    deployments: str | None = None
    url_prefix: str | None = None
    label_column: str | None = None
    flag_column: str | None = None
    name: str = ""
    results: "Callable[[Collection[Sampled], IO[bytes], bool], object] | None" = None
    ranks: Callable[[Collection[str]], Mapping[str, Mapping[str, str]]] | None = None
    say: Callable[[str], object] = _nobody


class WishArguments(TypedDict, total=False):
    """The fields of `Wishes` that a caller may give."""

    relative: bool
    utc_offset: timezone | str | None
    without_time: str
    deployments: AnyPath | None
    url_prefix: str | None
    label_column: str | None
    flag_column: str | None
    name: str


# A writer iterates over the images as often as it must, never has them all in memory, and writes to
# a file, or to files in a folder.
Writer: TypeAlias = "Callable[[Collection[Sampled], IO[bytes], Wishes], None]"
FolderWriter: TypeAlias = "Callable[[Collection[Sampled], Folder, Wishes], None]"


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
        What is written, for the help of ``--format``.
    needs
        The fields of `Wishes` that must be given for this format.
    takes
        The fields that may be given.
    tells_bursts
        Whether it writes the burst or the event of each image.
    is_folder
        Whether it is a folder of files; its writer is then a `FolderWriter`.
    has_images
        Whether the folder contains the images, at the paths that ``targets`` of the module returns.
    """

    name: str
    writer: str
    summary: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    tells_bursts: bool = False
    is_folder: bool = False
    has_images: bool = False

    def write(
        self, images: "Collection[Sampled]", output: "IO[bytes] | Folder", wishes: Wishes
    ) -> None:
        """Write a sample to a file, or into a folder.

        Raises
        ------
        OutputError
            When the format cannot express the sample.
        """
        _found(self.writer)(images, output, wishes)

    def targets(self, images: "Collection[Sampled]") -> Sequence[str] | None:
        """Return the path of each image below the folder; None where the format does not care."""
        if not self.has_images:
            return None
        found: Sequence[str] = _found(f"{self.writer.partition('.')[0]}.targets")(images)
        return found


def wishes_of(known: Format, given: WishArguments) -> Wishes:
    """Return the options of a format, checked.

    Raises
    ------
    UsageError
        When an option is unknown, has no effect in this format, is missing, or wrong.
    """
    for name in given:
        if name not in WishArguments.__annotations__:
            options = ", ".join(WishArguments.__annotations__)
            raise UsageError(f"there is no option {name!r}; those of formats are {options}")
    without_time = choice("without_time", given.get("without_time", "fail"), ("fail", "skip"))
    wishes = Wishes(
        relative=flag("relative", given.get("relative", False)),
        utc_offset=optional(utc_offset, "utc_offset", given.get("utc_offset")),
        without_time="skip" if without_time == "skip" else "fail",
        deployments=optional(path, "deployments", given.get("deployments")),
        url_prefix=optional(text, "url_prefix", given.get("url_prefix")),
        label_column=optional(text, "label_column", given.get("label_column")),
        flag_column=optional(text, "flag_column", given.get("flag_column")),
        name=text("name", given.get("name", "")),
    )
    usual = Wishes()
    for name in Wishes._fields:
        if name in _FOR_ALL or getattr(wishes, name) == getattr(usual, name):
            continue
        if name not in (*known.needs, *known.takes):
            those = " and ".join(
                each.name for each in FORMATS.values() if name in (*each.needs, *each.takes)
            )
            raise UsageError(Option(name), f" is for {those}, not for {known.name}")
    for name in known.needs:
        if getattr(wishes, name) is None:
            raise UsageError(known.name, *_NEEDED[name])
    return wishes


def _found(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(
        import_module(f"sdindex.exchange.formats.{module}"), function
    )
    return found


FORMATS = {
    known.name: known
    for known in (
        Format("paths", "paths.write_lines", "a path a line"),
        Format("null", "paths.write_null", "paths ended by a zero byte, for xargs -0"),
        Format("csv", "rows.write_csv", "all that is known of each image", tells_bursts=True),
        Format("json", "rows.write_json", "the same as a list of objects", tells_bursts=True),
        Format("parquet", "parquet.write", "the same as a Parquet file", tells_bursts=True),
        Format("megadetector", "megadetector.write", "the list of paths that MegaDetector takes"),
        Format(
            "megadetector-results",
            "megadetector.write_results",
            "the labels and boxes as MegaDetector writes its results",
        ),
        Format(
            "camtrap-dp",
            "camtrap_dp.write",
            "a package of Camtrap DP, as a folder",
            needs=("utc_offset",),
            takes=("without_time", "deployments"),
            tells_bursts=True,
            is_folder=True,
        ),
        Format(
            "timelapse",
            "timelapse.write",
            "CSV as Timelapse 2 imports it",
            takes=("label_column", "flag_column"),
        ),
        Format(
            "coco",
            "coco.write",
            "a database of COCO Camera Traps, labels as annotations",
            tells_bursts=True,
        ),
        Format(
            "label-studio",
            "label_studio.write",
            "tasks for Label Studio, labels as predictions",
            takes=("url_prefix",),
        ),
        Format("cvat", "cvat.write", "a manifest of images for CVAT"),
        Format(
            "yolo",
            "yolo.write",
            "a dataset of YOLO, as a folder with the images",
            is_folder=True,
            has_images=True,
        ),
        Format(
            "huggingface",
            "huggingface.write",
            "an imagefolder of Hugging Face, with the images",
            is_folder=True,
            has_images=True,
        ),
        Format(
            "fiftyone",
            "fiftyone.write",
            "a FiftyOneImageDetectionDataset, as a folder",
            is_folder=True,
        ),
    )
}
