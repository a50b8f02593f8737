"""Video to clips: the stages of the dataset, the rules that keep or drop, and the run that executes them."""
