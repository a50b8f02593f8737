"""What things cost, and nothing else: figures that are printed, not claimed (`make bench`). Nothing imports it."""
