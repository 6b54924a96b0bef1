"""Which camera an image is from: the folder above the card's own numbering."""

import re

# The Design rule for Camera File system (DCF): DCIM, and in it folders of three digits
# and five free characters, such as 100RECNX, 100EK113, 101_BTCF, 100MEDIA.
_CARD_FOLDER = re.compile(r"DCIM|\d{3}\w{5}", re.IGNORECASE | re.ASCII)


def camera_of(path: str) -> str:
    """Return the camera's folder of an archive-relative path; empty for the root itself.

    ``site1/cam2/DCIM/100RECNX/IMG_0001.JPG`` is from ``site1/cam2``.
    """
    folder = path.rpartition("/")[0]
    while folder and _CARD_FOLDER.fullmatch(folder.rpartition("/")[2]):
        folder = folder.rpartition("/")[0]
    return folder
