"""The ablations of Yang et al. 2025 on a made world of speech and gesture whose truth is known."""
