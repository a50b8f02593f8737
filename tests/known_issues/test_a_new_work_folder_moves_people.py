"""With its work folder deleted a run knew nobody, so that people could change sides of the split."""

import shutil

import pyarrow.parquet as pq
import pytest

from tests.cases import Case

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]


def sides(case: Case) -> dict[str, str]:
    rows = pq.read_table(case.out / "clips.parquet", columns=["identity", "split"]).to_pylist()
    return {row["identity"]: row["split"] for row in rows}


def test_people_stay_where_the_dataset_has_them(case: Case) -> None:
    before, root = sides(case), case.root
    shutil.rmtree(case.work)
    code, said = case.build("split.salt=another")  # by which the hash would put them elsewhere
    assert code == 0, said
    assert sides(case) == before
    assert case.root == root
