"""Are the filters right on this footage? Faults edited into it, and truth tables of what the filters then say.

A filter is worth what it tells apart: footage as it is, and the same footage with the fault edited in. To ask that of
your own videos, take clips that have no fault, each of one person in view who talks, and name the people:

    from pathlib import Path
    from manifests.record import Why
    from pipeline.validation import faults
    from pipeline.validation.picture_filters import case, look
    from pipeline.validation.picture_stages import PictureStages
    from pipeline.validation.table import table

    stages, cases = PictureStages.open(Path("work/validation")), []
    for person, file in {"anna": Path("anna.mp4"), "ben": Path("ben.mp4")}.items():
        pictures = faults.pictures_of(file, stop=4.0)
        still = faults.frozen(pictures[0], frames=100, grain=2.0, seed=0)
        cases += [
            case(person, False, look(stages, pictures), Why.FROZEN),
            case(person, True, look(stages, still), Why.FROZEN),
        ]
    print(table({Why.FROZEN: cases}, {Why.FROZEN: "one picture under grain"}))

The table says how much of what has the fault the filter drops and how much of what it drops has the fault, at the
rule's own threshold and at one fitted on other people, with intervals over people. With fewer than about ten people
these are wide, and still too narrow.

`faults`: the edits. `picture_stages`: one film through the stages that look at pictures. `picture_filters`: what the
filters say of it. `scores`, `table`: precision, recall, thresholds and intervals, and how they are printed. `footage`:
a folder of labelled clips. `in_process`: a whole run in the calling process. `costs`: CPU seconds.
"""
