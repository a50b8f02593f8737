"""Whole figures in pictures: a box around each person, for the pose networks to crop by."""

from pipeline.perception.people.detector import Figure, FigureFinder, PersonDetector
from pipeline.perception.people.speaker import SpeakerBoxes, holding

__all__ = ["Figure", "FigureFinder", "PersonDetector", "SpeakerBoxes", "holding"]
