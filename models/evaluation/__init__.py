"""How good a motion is: metrics by name, baselines, protocols, and the table of several generators side by side."""
