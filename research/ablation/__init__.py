"""The ablations of Yang et al. 2025 on synthetic data of speech and gesture whose truth is known."""
