"""What `scripts/readme` does: examples run, and the reference and the picture made anew."""

import sys
from collections.abc import Sequence

from sdindex.cli.reference import reference
from tests.support import documents, picture


def main(wanted: Sequence[str]) -> None:
    """Rewrite the documents of these names, and `picture`; everything when there are none."""
    if not wanted or "reference" in wanted:
        documents.REFERENCE.write_text(reference(), encoding="utf-8")
    for document in documents.documents():
        if not wanted or document.stem in wanted:
            old, new = document.read_text(encoding="utf-8"), documents.rewritten(document)
            if documents.masked(new) != documents.masked(old):
                document.write_text(new, encoding="utf-8")
    if not wanted or "picture" in wanted:
        picture.take(documents.PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
