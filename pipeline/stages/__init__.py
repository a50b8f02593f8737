"""One stage, one file, numbered in the order of the flow; `pipeline/flow.py` puts them in a row."""
