"""A memory card whose files are named as the modules that Python, and the program, import."""

import sys
from importlib.metadata import requires
from pathlib import Path
from re import match

RAN = "ran.txt"  # written, beside it, by each module that is imported
_OTHER_NAMES = {"pillow": "PIL"}
_CODE = "open({ran!r}, 'a').write(__name__ + '\\n')\nraise RuntimeError('the card is run')\n"


def hostile_card(folder: Path, *files: str) -> Path:
    """Put modules into a folder that tell when they are run, all or some; return it."""
    code = _CODE.format(ran=str(folder / RAN))
    for file in files or [f"{name}.py" for name in names()]:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(code)
    return folder


def names() -> set[str]:
    """Return the names of the program, of what it needs, and of Python's own modules."""
    needed = {match(r"[\w-]+", line)[0].lower() for line in requires("sdindex") or ()}  # type: ignore[index]
    ours = {"sdindex", "migrations", "tests", "sitecustomize", "usercustomize"}
    return ours | {_OTHER_NAMES.get(name, name) for name in needed} | set(sys.stdlib_module_names)
