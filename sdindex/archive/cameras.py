"""Which camera an image is from: what a pattern finds in its path, else its camera's folder."""

import re
from functools import lru_cache

from sdindex.errors import UsageError

# The Design rule for Camera File system (DCF): DCIM, and in it folders of a number from 100 on and
# five free characters, such as 100RECNX, 100EK113, 101_BTCF, 100MEDIA. Memory cards are also copied
# without their DCIM. There, a name of digits alone is a day (20190412), and one of mixed case a
# site or a month (2019_May): both were given by people.
_CARD_FOLDERS = re.compile(
    r"(?:^|/)(?:(?i:DCIM)(?:/[1-9]\d\d\w{5})?|[1-9]\d\d(?!\d{5})(?:[0-9A-Z_]{5}|[0-9a-z_]{5}))$",
    re.ASCII,
)

# The version of the rule, stored with the cameras that it found. Raise it when `camera_of` returns
# another camera for some path: each archive's cameras are then found anew at its next update.
CAMERA_RULE = 2

CameraPattern = re.Pattern[str]


def camera_of(path: str, pattern: CameraPattern | None = None) -> str:
    """Return the camera of an archive-relative path; empty where the root is the camera's folder.

    It is what `pattern` finds in the path or, where it finds nothing, the camera's folder:
    ``site1/cam2/DCIM/100RECNX/IMG_0001.JPG`` is from ``site1/cam2``.

    Parameters
    ----------
    path
        In stored form, with forward slashes.
    pattern
        From `camera_pattern`.
    """
    named = pattern and named_camera(path, pattern)
    return named or _of_folder(path.rpartition("/")[0])


def root_camera(root: str) -> str:
    """Return the camera of an archive whose root is the camera's folder: the root's last name.

    It is never empty. A memory card's folders are skipped: ``/data/cam2/DCIM`` is from ``cam2``.

    Parameters
    ----------
    root
        In stored form, with forward slashes.
    """
    named = _of_folder(root).rstrip("/") or root.rstrip("/")
    return named.rpartition("/")[2] or root


def named_camera(path: str, pattern: CameraPattern) -> str | None:
    """Return the camera that a pattern finds in a path; None or empty where it finds none."""
    found = pattern.search(path)
    return found and found["camera" if "camera" in pattern.groupindex else 1]


def camera_pattern(text: str) -> CameraPattern:
    """Return the compiled pattern that finds a camera in a path: it must have one group.

    Where a group is named ``camera``, it may have others, too.

    Raises
    ------
    UsageError
        When it is no regular expression, or it is not clear which group is the camera.
    """
    try:
        pattern = re.compile(text)
    except re.error as problem:
        raise UsageError(f"{text!r} is no regular expression: {problem}") from problem
    if pattern.groups != 1 and "camera" not in pattern.groupindex:
        raise UsageError(
            f"{text!r} has {pattern.groups} groups; put parentheses around what names the camera, "
            r"as in '/(cam\d+)/', or name one of several: '(?P<camera>cam\d+)'"
        )
    return pattern


@lru_cache(maxsize=4096)  # the files of one folder come one after the other
def _of_folder(folder: str) -> str:
    above = _CARD_FOLDERS.sub("", folder)
    return folder if above == folder else _of_folder(above)
