"""What to build from: lists and folders (`lists.py`), their formats, and the names of sources (`locators.py`)."""
