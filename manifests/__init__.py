"""The contract between the two halves: records, geometry, keypoints, shards and tables; no torch, no Dask, no video library."""
