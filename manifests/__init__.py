"""The contract between the two halves: records, geometry, keypoints, shards, tables; no torch, no Dask, no video."""
