"""The model half: clips in, motion and video out. See `../README.md`; `systems/` holds one folder per paper."""
