"""`make truth`: what perception is worth on real footage, and on the same footage with the fault edited in.

One module a section, each with `section(shared: Path) -> str`, Markdown without a top heading. `python -m
research.truth` runs them all and writes each as a page of `docs/truth/`, and `docs/truth.md`, the table of all.
"""
