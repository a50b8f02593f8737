"""Generated pages say what the code says."""

from pathlib import Path

from pipeline.audit.pages import pages

ROOT = Path(__file__).resolve().parents[2]


def test_generated_pages_are_fresh() -> None:
    for place, text in pages().items():
        assert (ROOT / place).read_text() == text, f"{place} is stale: run make docs"
