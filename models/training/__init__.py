"""One trainer for all systems: the loop, its checkpoints, its log. What is trained comes in as a `Task`."""
