"""One folder per paper, each with the same file names."""
