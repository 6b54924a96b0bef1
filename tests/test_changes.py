from hypothesis import given
from hypothesis import strategies as st

from sdindex.changes import KnownImage, Reason, ToRead, Unchanged, Vanished, compare
from sdindex.scan import FileState, FoundFile, Unlooked

METHOD = "scaled-1"
states = st.builds(FileState, *[st.integers(-2, 2)] * 4)
paths = st.text("ab/.é\U0001f600", min_size=1, max_size=4).map(lambda path: path + "x.jpg")
files = st.dictionaries(paths, states, max_size=8)
rows = st.dictionaries(
    paths, st.tuples(states, st.sampled_from([METHOD, "exact-1"]), st.booleans()), max_size=8
)


def known_images(held: dict[str, tuple[FileState, str, bool]]) -> list[KnownImage]:
    return [
        KnownImage(number, path, state, method, settled, missing=False, readable=True)
        for number, (path, (state, method, settled)) in enumerate(sorted(held.items()))
    ]


@given(files, rows, st.booleans())
def test_every_file_gets_its_due(
    there: dict[str, FileState], held: dict[str, tuple[FileState, str, bool]], strict: bool
) -> None:
    found = [FoundFile(path, state) for path, state in sorted(there.items())]
    unchanged, read, vanished = set(), set(), set()
    for change in compare(found, known_images(held), method=METHOD, strict=strict):
        match change:
            case Unchanged(known):
                unchanged.add(known.path)
            case ToRead(file):
                read.add(file.path)
            case Vanished(known):
                vanished.add(known.path)
    fields = 4 if strict else 2
    same = {
        path
        for path in there.keys() & held.keys()
        if there[path][:fields] == held[path][0][:fields] and held[path][1:] == (METHOD, True)
    }
    assert unchanged == same
    assert read == there.keys() - same
    assert vanished == held.keys() - there.keys()


def one_reason(
    state: FileState, method: str = METHOD, *, settled: bool = True, strict: bool = False
) -> Reason | None:
    held = FileState(1, 1, 1, 1)
    known = KnownImage(1, "a.jpg", held, method, settled, missing=False, readable=True)
    (change,) = compare([FoundFile("a.jpg", state)], [known], method=METHOD, strict=strict)
    return change.reason if isinstance(change, ToRead) else None


def test_the_reason_is_named() -> None:
    same = FileState(1, 1, 1, 1)
    assert one_reason(same) is None
    assert one_reason(same._replace(size=2)) is Reason.SIZE
    assert one_reason(same._replace(mtime_ns=0)) is Reason.MTIME
    assert one_reason(same, "exact-1") is Reason.METHOD
    assert one_reason(same, settled=False) is Reason.UNSETTLED
    assert one_reason(same._replace(ctime_ns=2, inode=2)) is None
    assert one_reason(same._replace(ctime_ns=2), strict=True) is Reason.CTIME
    assert one_reason(same._replace(inode=2), strict=True) is Reason.INODE


def test_what_could_not_be_looked_at_is_left_as_it_was() -> None:
    state = FileState(1, 1, 1, 1)
    held = dict.fromkeys(["a.jpg", "a/b.jpg", "a/c/d.jpg", "a0.jpg"], (state, METHOD, True))
    found: list[FoundFile | Unlooked] = [FoundFile("a.jpg", state), Unlooked("a/", "denied")]
    changes = list(compare(found, known_images(held), method=METHOD))
    vanished = [change.known.path for change in changes if isinstance(change, Vanished)]
    assert vanished == ["a0.jpg"]


def test_one_file_that_could_not_be_looked_at() -> None:
    held = {path: (FileState(1, 1, 1, 1), METHOD, True) for path in ["a.jpg", "a.jpg.jpg"]}
    changes = compare([Unlooked("a.jpg", "I/O error")], known_images(held), method=METHOD)
    assert [type(change) for change in changes] == [Unlooked, Vanished]
