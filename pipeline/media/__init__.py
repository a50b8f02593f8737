"""Reads and writes pictures and sound: probe, decode, audio, encode, all on the 25 FPS grid."""
