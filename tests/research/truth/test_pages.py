"""The table of all measurements fits one screen, repeats its pages' figures and links to all of them."""

import re
from datetime import date
from pathlib import Path

import pytest

from research.truth.__main__ import write_index
from research.truth.headlines import HEADLINES
from research.truth.pages import SECTIONS, index, page, parts, promoted, read_pages
from research.truth.tables import TableError, records, row_with, table_below
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = DOCS / "truth"
SCREEN = 50
TABLE = """# Filters

| name | recall | recall |
|---|---|---|
| a | 0.5 | 0.7 |
| b | 1.0 |

## Below

| name | kept |
|---|---|
| c | 3 |

| | seen |
|---|---|
| d | 4 |
"""


def test_the_opening_table_fits_one_screen() -> None:
    assert len((DOCS / "truth.md").read_text().splitlines()) <= SCREEN


def test_the_opening_table_is_that_of_its_pages() -> None:
    assert (DOCS / "truth.md").read_text() == index(read_pages(PAGES)), (
        "python -m research.truth --only"
    )


def test_no_section_is_without_a_page_a_module_or_a_headline() -> None:
    assert list(read_pages(PAGES)) == list(SECTIONS) == list(HEADLINES)
    for name in SECTIONS:
        assert (ROOT / "research" / "truth" / f"{name}.py").is_file()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_says_at_its_top_what_its_own_tables_say(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    day, rows, body = parts(text)
    assert page(name, day, body) == text
    assert [tuple(row.values()) for row in rows] == [
        (row.subject, row.measured, row.footage, row.figure) for row in HEADLINES[name](body)
    ]


def links(file: Path) -> list[str]:
    return re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text())


def test_every_page_is_linked_from_the_opening_table() -> None:
    told = {(DOCS / link).resolve() for link in links(DOCS / "truth.md")}
    assert set(PAGES.glob("*.md")) <= told


@pytest.mark.parametrize(
    "file", sorted(DOCS.rglob("*.md")), ids=lambda file: str(file.relative_to(DOCS))
)
def test_every_link_between_pages_leads_somewhere(file: Path) -> None:
    for link in links(file):
        assert (file.parent / link).exists(), f"{file.name}: {link}"


def test_no_page_links_into_a_heading_that_has_moved() -> None:
    for file in (*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "research").rglob("*.md")):
        assert "truth.md#" not in file.read_text()


def test_figures_measured_anew_reach_the_opening_table(tmp_path: Path) -> None:
    folder = tmp_path / "truth"
    folder.mkdir()
    day, _, body = parts((PAGES / "picture_rate.md").read_text())
    anew = body.replace("recall 0.915 [0.880, 0.942]", "recall 0.500 [0.400, 0.600]")
    (folder / "picture_rate.md").write_text(page("picture_rate", day, body).replace(body, anew))
    table = write_index(folder).read_text()
    assert "recall 0.500 [0.400, 0.600]" in table
    assert "0.915" not in table
    assert "filters.md" not in table


def test_a_section_without_its_table_is_an_error() -> None:
    with pytest.raises(TableError, match="no table of 'filter'"):
        page("filters", date(2026, 1, 1), "nothing was measured")


def test_a_column_that_comes_again_has_a_number_and_a_short_row_is_filled() -> None:
    rows = table_below(TABLE, first="name")
    assert rows == [
        {"name": "a", "recall": "0.5", "recall 2": "0.7"},
        {"name": "b", "recall": "1.0", "recall 2": ""},
    ]


def test_a_table_is_looked_for_below_its_heading() -> None:
    assert table_below(TABLE, "Below", first="name") == [{"name": "c", "kept": "3"}]
    assert table_below(TABLE, "Below", first="") == [{"": "d", "seen": "4"}]
    with pytest.raises(TableError, match="no heading 'Above'"):
        table_below(TABLE, "Above", first="name")
    with pytest.raises(TableError, match="no table of 'recall' below the top"):
        table_below(TABLE, first="recall")


def test_a_row_is_found_by_its_cells() -> None:
    rows = records(["| a | b |", "|---|---|", "| 1 | 2 |", "| 1 | 3 |"])
    assert row_with(rows, {"a": "1", "b": "3"}) == {"a": "1", "b": "3"}
    with pytest.raises(TableError, match="no row with"):
        row_with(rows, {"a": "2"})


def test_the_highest_headings_come_to_the_second_level() -> None:
    body = "text\n\n#### A\n\n##### B\n\n#### C"
    assert promoted(body) == "text\n\n## A\n\n### B\n\n## C"
    assert promoted(promoted(body)) == promoted(body)
    assert promoted("text") == "text"
