"""How numbers were found: fits, ablations, leave-one-out, truth tables, and their dated results. Nothing imports it."""
