"""Pages of measurements, `docs/truth/<section>.md`, and the table that opens on all of them, `docs/truth.md`.

A page has its headline rows at its top, from its own tables (`headlines.py`); the opening table is put together of the
rows of the pages that lie there, so that one section can be measured anew without the others.
"""

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.rules import RULES
from research.truth.headlines import COLUMNS, HEADLINES, headline_table
from research.truth.tables import Record, TableError, table_below, table_of

SECTIONS = {
    "filters": "Filters that look at pictures",
    "picture_rate": "New pictures a second",
    "speech": "Speech, turns, overlap and music",
    "structure": "Structure: speech of one person that becomes no clip",
    "sync": "Sync: whose voice, and at which offset",
    "shots": "Shots: cuts and gradual transitions",
    "tracking": "Tracking several people, and their poses",
    "identity": "Identity: near-duplicates and voices",
    "cascade": "Cost: stopping at the first drop",
}

ABOUT = """# What each filter and perception backend is worth on real footage

Measured by `make truth` on real clips, as they are and with the fault edited in. Precision: of what a rule drops at its
own number, the share with the fault; recall: of what has the fault, the share dropped; 95 % intervals over people
([method](truth/method.md)). Not measured, since their weights or packages were not at hand: `pyannote`, `onnx`,
`mmpose`, `syncnet`. All rules: [rules.md](rules.md). Values by clip: [truth-values.md](truth-values.md).
**[What follows for each filter, and what is not proven](truth/readings.md).**
"""

LINKS = "[All measurements](../truth.md), [how to read them](method.md)."


def page(name: str, day: datetime.date, body: str) -> str:
    """The page of a section from the Markdown that its module gives. Raises TableError where a headline is missing."""
    return "\n".join(
        [
            f"# {SECTIONS[name]}",
            "",
            f"`python -m research.truth.{name}`, {day}. {LINKS}",
            "",
            headline_table(HEADLINES[name](body)),
            "",
            promoted(body).strip(),
            "",
        ]
    )


def promoted(body: str) -> str:
    """The text with its highest headings at the second level, below the page's title."""
    levels = [len(found) for found in re.findall(r"^(#+) ", body, re.MULTILINE)]
    if not levels:
        return body
    more = 2 - min(levels)
    return re.sub(r"^#+(?= )", lambda found: "#" * (len(found[0]) + more), body, flags=re.MULTILINE)


def parts(text: str) -> tuple[datetime.date, list[Record], str]:
    """The day, the headline rows and the body of a page. Raises TableError."""
    day = re.search(r"^`python -m [\w.]+`, (\d{4}-\d\d-\d\d)\.", text, re.MULTILINE)
    if day is None:
        raise TableError("a page does not say when it was measured")
    rows = table_below(text, first=COLUMNS[0])
    body = text.partition(f"| {COLUMNS[0]} |")[2].split("\n\n", 1)[1]
    return datetime.date.fromisoformat(day[1]), rows, body


def index(pages: Mapping[str, str]) -> str:
    """The opening table of these pages (by section), each row with a link to its page."""
    rows = [
        [*row.values(), acts_with(row[COLUMNS[0]]), f"[{name}](truth/{name}.md)"]
        for name in SECTIONS
        if name in pages
        for row in parts(pages[name])[1]
    ]
    return f"{ABOUT}\n{table_of([*COLUMNS, 'acts with', 'page'], rows)}\n"


def acts_with(subject: str) -> str:
    """The backends with which a row's rule acts, `none` where it acts with none; empty where the row is no rule's."""
    name = subject.split("`")[1] if subject.startswith("`") else ""
    for rule in RULES:
        if rule.why == name:
            return "all" if "*" in rule.proven else ", ".join(rule.proven) or "none"
    return ""


def read_pages(folder: Path) -> dict[str, str]:
    """The pages that lie in a folder, by section."""
    return {
        name: file.read_text() for name in SECTIONS if (file := folder / f"{name}.md").is_file()
    }
