"""A sample as a CSV that Timelapse 2 imports."""

from collections.abc import Collection, Iterator
from typing import IO

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, Sampled, local_time
from sdindex.exchange.tables import write_csv


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write the columns that every image set of Timelapse has, with paths as on Windows.

    Timelapse refuses a whole file with a column that is not in the template, such as one of
    labels, and with an empty time: so times are left out where an image has none.
    """
    naming = Naming.of(images)
    dated = all(image.taken_at for image in images)
    columns = ["RootFolder", "File", "RelativePath", *(["DateTime"] if dated else [])]
    root = naming.only_archive

    def rows() -> Iterator[list[str]]:
        for image in images:
            folder, _, name = naming.path(image).rpartition("/")
            time = [local_time(image.taken_at)] if image.taken_at and dated else []
            yield [root, name, folder.replace("/", "\\"), *time]

    write_csv(columns, rows(), output, for_people=False)
