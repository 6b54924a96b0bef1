"""A sample as a CSV that Timelapse 2 imports."""

from collections.abc import Collection, Iterator
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled, local_time
from sdindex.exchange.tables import write_csv

_YES = "true"  # of a flag
_BETWEEN = ", "  # labels


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write the columns that every image set of Timelapse has, with paths as on Windows.

    Timelapse refuses a file with a column that is not in the template, or with an empty time: so
    labels and a flag are written only into columns that are named, and no times if an image has
    none.
    """
    naming = Naming.of(images)
    dated = all(image.taken_at for image in images)
    columns = ["RootFolder", "File", "RelativePath", *(["DateTime"] if dated else [])]
    more = [name for name in (wishes.label_column, wishes.flag_column) if name is not None]
    root = naming.only_archive

    def rows() -> Iterator[list[str]]:
        for image in images:
            folder, _, name = naming.path(image).rpartition("/")
            time = [local_time(image.taken_at)] if image.taken_at and dated else []
            labels = [] if wishes.label_column is None else [_BETWEEN.join(image.labels)]
            flag = [] if wishes.flag_column is None else [_YES]
            yield [root, name, folder.replace("/", "\\"), *time, *labels, *flag]

    write_csv([*columns, *more], rows(), output, for_people=False)
    at_top = sum("/" not in naming.path(image) for image in images)
    if 0 < at_top < len(images):
        wishes.say(
            f"warning: {at_top:,} images lie in no folder; Timelapse finds these by their names "
            "alone, and changes images of the same names in all folders, too"
        )
