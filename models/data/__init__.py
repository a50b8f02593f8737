"""From the shards on disk to tensors: index, order, windows, features, statistics."""
