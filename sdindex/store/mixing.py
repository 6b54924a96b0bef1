"""The methods of the hashes: hashes of two methods are not mixed in a sample."""

from collections.abc import Mapping

import sqlalchemy as sa

from sdindex.errors import Option, SampleError
from sdindex.sampling.blocks import FRAME_VERSION
from sdindex.store.database import Session
from sdindex.store.frames import available
from sdindex.store.tables import archive, frame_block, frame_change, from_json, image


def methods(session: Session, *, is_current: bool = False) -> set[str]:
    """Return the methods of all hashes; of a stale frame, perhaps of some that are gone.

    Parameters
    ----------
    is_current
        Whether the frame is known to be current; then its blocks alone are asked.
    """
    stored = session.scalars(sa.select(frame_block.c.methods).distinct())
    found = {method for text in stored for method in from_json(text, list)}
    if is_current:
        return found
    of_images = sa.select(image.c.method).where(available()).distinct()
    changed = of_images.join(frame_change, frame_change.c.image_id == image.c.id)
    found.update(session.scalars(changed))
    other = archive.c.frame_version.is_distinct_from(FRAME_VERSION)
    for archive_id in session.scalars(sa.select(archive.c.id).where(other)).all():
        found.update(session.scalars(of_images.where(image.c.archive_id == archive_id)))
    return found


def refuse_to_mix(methods: Mapping[str, int]) -> None:
    """Refuse a sample from hashes of several methods; `methods` counts the images of each.

    Raises
    ------
    SampleError
        When there is more than one.
    """
    if len(methods) > 1:
        named = ", ".join(f"{images:,} {method}" for method, images in sorted(methods.items()))
        raise SampleError(
            f"hashes of two methods do not mix in one sample ({named}); bring all archives to "
            "one with: sdindex index --method METHOD FOLDER, or choose some with ",
            Option("under"),
        )
