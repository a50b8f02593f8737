"""Who speaks in the sample: looks, voices, rooms and the sentences, all of them ours.

Each person has one good take, with a motion and a voice that nobody else has. The settings of the sample split by
people, two in each of train, val and test; whoever is seen a second time with a fault that no filter drops yet is in
train, so that held-out lips speak what is heard.
"""

from dataclasses import dataclass
from fractions import Fraction

from pipeline.sample.body import Build, Room
from pipeline.sample.figure import Shot
from pipeline.sample.portrait import Face
from pipeline.sample.voice import Voice

PAL, FILM_30, NTSC = Fraction(25), Fraction(30), Fraction(30000, 1001)


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic speaker. `energy`: how much the hands move, 1 is much."""

    name: str
    face: Face
    build: Build
    voice: Voice
    language: str
    energy: float = 0.8


@dataclass(frozen=True, slots=True)
class Take:
    """One person filmed once.

    build replaces the person's clothes for this take; turn is how far the person looks away from
    the camera, in radians to the right of the picture.
    """

    name: str
    person: Person
    text: str
    room: Room
    shot: Shot
    fps: Fraction
    speech_type: str
    title: str
    seed: int
    build: Build | None = None
    turn: float = 0.0


ADA = Person(
    "ada",
    Face(hair=(128, 100, 64), seed=11),
    Build((44, 66, 118), garment="blazer"),
    Voice("en-us+f3", words_per_minute=160, pitch=58, pitch_range=55, tract=1.06),
    "en",
)
BEN = Person(
    "ben",
    Face(
        skin=(126, 82, 58), hair=(30, 26, 24), style="short", jaw=1.12, nose=1.25, brows=0.8,
        beard=0.75, moustache=0.6, width=1.04, seed=12,
    ),
    Build((58, 104, 78), garment="jumper", shoulders=1.12, girth=1.08, arms=1.06),
    Voice("en+m3", words_per_minute=158, pitch=38, pitch_range=50, tract=0.9),
    "en",
    energy=0.95,
)  # fmt: skip
CARLA = Person(
    "carla",
    Face(
        skin=(202, 150, 112), hair=(42, 32, 30), style="long", jaw=0.9, nose=0.9, eyes=1.12,
        glasses=(60, 22, 34), width=0.95, seed=13,
    ),
    Build((158, 44, 52), garment="stripes", under=(232, 226, 214), shoulders=0.92, girth=0.9),
    Voice("es+f2", words_per_minute=170, pitch=72, pitch_range=70, tract=1.0),
    "es",
)  # fmt: skip
DIETER = Person(
    "dieter",
    Face(
        skin=(236, 194, 172), hair=(168, 164, 160), style="short", jaw=1.1, nose=1.15, brows=0.7,
        moustache=0.9, glasses=(54, 54, 64), age=1.0, width=1.08, mirrored=True, seed=14,
    ),
    Build((206, 214, 226), garment="shirt", girth=1.2, shoulders=1.06, arms=1.0),
    Voice("de+boris", words_per_minute=150, pitch=40, pitch_range=40, tract=1.05),
    "de",
    energy=0.65,
)  # fmt: skip
EVA = Person(
    "eva",
    Face(
        skin=(238, 202, 178), hair=(206, 172, 104), style="long", mirrored=True, jaw=0.94, eyes=1.06, width=0.97,
        seed=15,
    ),
    Build((34, 138, 142), garment="tee", sleeves="short", shoulders=0.94, girth=0.92),
    Voice("en-gb-scotland+steph", words_per_minute=172, pitch=75, pitch_range=80, tract=1.2),
    "en",
    energy=0.9,
)  # fmt: skip
FELIX = Person(
    "felix",
    Face(
        skin=(232, 178, 148), hair=(166, 84, 38), style="none", jaw=1.06, nose=1.1, eyes=0.94,
        brows=0.9, beard=0.9, moustache=0.8, width=1.02, seed=16,
    ),
    Build((92, 58, 122), garment="jumper", shoulders=1.1, girth=1.02, arms=1.04),
    Voice("fr+m1", words_per_minute=165, pitch=48, pitch_range=65, tract=1.1),
    "fr",
    energy=0.85,
)  # fmt: skip

INTERRUPTER = Voice("en-gb-x-rp+f5", words_per_minute=175, pitch=66, pitch_range=50, tract=0.88)
INTERRUPTION = (
    "That cannot be right, because the harbour was closed in that winter and no ship had come in "
    "since October, so please look at the dates again before you go on with the story."
)
NARRATOR = Voice("en-029+m5", words_per_minute=160, pitch=55, pitch_range=60, tract=1.0)
NARRATION = (
    "Every river on this map begins as a very small stream high in the hills, and it grows with "
    "each valley that it crosses until the wide and quiet water reaches the sea at last."
)

TAKES: tuple[Take, ...] = (
    Take(
        "ada", ADA,
        "When we explain a large idea, our hands begin to move before the word is ready, and "
        "people who listen can often follow the shape of the thought from the movement alone.",
        "study", Shot(size=(768, 432), scale=0.78, middle=0.5), PAL, "lecture", "Why hands move when we explain", 101,
    ),
    Take(
        "ben", BEN,
        "Good evening, here is the news about the weather: a warm wind moves over the mountains "
        "tomorrow morning, and by noon the whole valley may be bright again before more rain.",
        "stage", Shot(size=(768, 432), scale=0.732, middle=0.54, top=-18.0), FILM_30, "news",
        "Warm wind tomorrow", 103,
    ),
    Take(
        "carla", CARLA,
        "Para hacer un buen pan en casa hace falta poca cosa: harina, agua, sal y un poco de "
        "paciencia, porque la masa tiene que dormir toda la noche antes de entrar en el horno.",
        "kitchen", Shot(size=(432, 768), scale=0.996, middle=0.5, top=-150.0), PAL, "vlog",
        "Pan en casa", 104,
    ),
    Take(
        "dieter", DIETER,
        "Als ich vor vielen Jahren mit dem Bau von Booten begann, wollte mir niemand sagen, wie "
        "man ein Brett so biegt, dass es nicht bricht und dass das Wasser draußen bleibt.",
        "plain", Shot(size=(768, 432), scale=0.816, middle=0.47, top=-6.0), NTSC, "interview",
        "Vom Bau der Boote", 105,
    ),
    Take(
        "eva", EVA,
        "Before we start to climb, remember that the rope is only as good as the knot, so we all "
        "look at the knot of our neighbour, and nobody moves until both of you have said yes.",
        "street", Shot(size=(768, 432), scale=0.632, middle=0.58, top=-60.0), PAL, "lecture", "Before we climb", 106,
    ),
    Take(
        "felix", FELIX,
        "Dans notre petit jardin, les tomates poussent lentement, mais chaque matin je regarde si "
        "une feuille a bougé, et le soir je raconte aux voisins ce que j'ai vu pousser.",
        "study", Shot(size=(768, 432), scale=0.76, middle=0.46, top=-14.0), PAL, "interview", "Un petit jardin", 107,
    ),
)  # fmt: skip

SECOND_TAKES: tuple[Take, ...] = (
    Take(
        "ada-again", ADA,
        "My grandmother kept a map of the village on the kitchen wall, and every summer we put "
        "another pin beside a house where somebody had told us a story worth remembering.",
        "plain", Shot(size=(640, 360), scale=0.71, middle=0.44, top=0.0), PAL, "vlog", "A map on the wall", 102,
        build=Build((150, 96, 120), garment="jumper"),
    ),
    Take(
        "felix-again", FELIX,
        "Le boulanger ouvre sa porte avant l'aube, et toute la rue sent le pain chaud, pendant que "
        "les premiers clients parlent du temps, du marché et de la fête de dimanche.",
        "kitchen", Shot(size=(640, 360), scale=0.667, middle=0.55, top=-8.0), PAL, "vlog", "Avant l'aube", 108,
        build=Build((196, 178, 132), garment="shirt", shoulders=1.1, girth=1.02, arms=1.04),
    ),
)  # fmt: skip
"""Seen only with a fault: of two people a motion that is not that of their good take."""
