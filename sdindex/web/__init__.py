"""The local page on which a sample is reviewed, and its server, for this machine alone."""

from importlib.util import find_spec

from sdindex.errors import UsageError

_NEEDED = ("starlette", "uvicorn", "platformdirs")


def require_installed() -> None:
    """Refuse to go on where a package that the page needs is not installed.

    Raises
    ------
    UsageError
        It says how to install them.
    """
    lacking = [package for package in _NEEDED if find_spec(package) is None]
    if lacking:
        raise UsageError(
            f"review needs {', '.join(lacking)}; install it with: pip install 'sdindex[review]'"
        )
