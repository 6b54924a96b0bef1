"""An archive that is indexed with `--method thumbnail`."""

from concurrent.futures import Executor
from pathlib import Path

import pytest

from sdindex import Index, SampleError
from tests.support.counting import counts
from tests.test_scripts import make


def test_it_is_a_method_of_its_own(
    index: Index, tmp_path: Path, archive: Path, threads: Executor
) -> None:
    made = make(tmp_path / "made", "--cameras", "2", "--days", "1", "--bursts", "4")
    summary = index.update(made, method="thumbnail", executor=threads)
    assert summary.without_thumbnail == 0
    assert counts(index.update(made, executor=threads)) == {"unchanged": summary.new}
    assert {one.method for one in index.status().archives} == {"thumbnail"}
    index.update(archive, method="scaled", executor=threads)
    with pytest.raises(SampleError, match="two methods do not mix"):
        index.select(5)
    summary = index.update(archive, method="thumbnail", executor=threads)
    assert summary.without_thumbnail == 12
    assert "12 of them whole, for want of a thumbnail" in str(summary)
    assert len(index.select(1000)) == 24 + 12
