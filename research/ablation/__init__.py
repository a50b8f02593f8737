"""The ablations of paper 003 on a made world of speech and gesture whose truth is known."""
