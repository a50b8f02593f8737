"""What became of every second, and why."""
