"""What annotators are asked about a piece, in each modality, with an example of either answer.

The paper asked "in the image modality and in the audio modality" apart and kept what is visible and prominent; its
wording is not known. This wording is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Modality = Literal["picture", "sound"]
"""What a question is about; the other half of the piece is not shown."""

MODALITIES: tuple[Modality, ...] = get_args(Modality)


@dataclass(frozen=True)
class Question:
    """One question; plain text."""

    text: str
    present: str
    """An example of a piece whose answer is yes."""
    absent: str
    """One whose answer is no, though it is near."""


@dataclass(frozen=True)
class _Wording:
    """How a category is spoken of: what is seen, what is heard, and what is mistaken for it."""

    source: str
    seen: str
    not_seen: str
    sound: str
    heard: str
    not_heard: str


_WORDINGS = {
    "baby_crying": _Wording(
        "a crying baby",
        "A baby with its mouth wide open and its face screwed up, even if it is small in the picture.",
        "A cradle or a toy, but no baby; or a baby that plainly sleeps or laughs.",
        "a crying baby",
        "A baby cries loudly while somebody speaks softly.",
        "A baby babbles or laughs; or music is far louder than the crying.",
    ),
    "snoring": _Wording(
        "a sleeping person who may be snoring",
        "A person asleep on a couch, of whom you see face or chest.",
        "A dark room or a blanket in which nobody can be made out; or a sleeping dog.",
        "a person who snores",
        "Steady snoring, also with a quiet television behind it.",
        "Ordinary breathing, a dog that snores, or people who laugh over the snoring all the time.",
    ),
    "dog": _Wording(
        "a dog",
        "A dog at the edge of the picture or partly behind a fence.",
        "A cat, a wolf in a drawing, or the garden in which a dog could be.",
        "a dog: barks, howls, whines or growls",
        "A dog barks twice in the street; cars are heard behind it.",
        "People talk to a dog that stays silent; or a single bark too faint to be sure of.",
    ),
    "water_flowing": _Wording(
        "flowing water: a stream, a waterfall, water that gurgles or pours",
        "A brook between stones, or water that runs from a tap.",
        "A still lake, or a glass of water that nobody pours.",
        "flowing water",
        "A steady rush or gurgle of water that is the main thing you hear.",
        "Wind or rain; or water that is hardly heard behind speech or music.",
    ),
    "fireworks": _Wording(
        "fireworks",
        "Rockets that burst in the night sky, also far away.",
        "A dark sky before the first rocket, smoke alone, or street lamps.",
        "fireworks: bangs, whistles, crackles",
        "Bangs and crackles, with people who cheer.",
        "Cheering or music alone; or one faint thud that could be a door.",
    ),
    "rail_transport": _Wording(
        "a train, a tram or an underground train, from outside or from within",
        "Wagons that pass a crossing; or the view out of a moving train's window.",
        "An empty track or platform; or a bus.",
        "a train or tram: wheels, engine, horn or brakes",
        "A train thunders past, and its horn blows.",
        "An announcement in a station while no train is heard; or cars.",
    ),
    "printer": _Wording(
        "a printer, a copier or a plotter",
        "A printer on a desk that pushes out paper.",
        "A computer's screen or a sheet of paper, but no printer.",
        "a printer that works",
        "Its motor whirrs and paper is drawn in.",
        "Somebody explains a printer that stands still; or typing.",
    ),
    "drum": _Wording(
        "a drum or a drum kit",
        "Hands on a conga, or a drum kit behind a singer.",
        "A guitar player alone; or sticks without any drum in the picture.",
        "a drum",
        "A drum beat that leads, even if a guitar plays too.",
        "A song in which drums can hardly be made out; or clapping.",
    ),
    "helicopter": _Wording(
        "a helicopter, from outside or from within",
        "A helicopter that is small in the sky; or its cabin during flight.",
        "An aeroplane, or an empty sky or landing place.",
        "a helicopter: rotor or engine",
        "The rotor's beat is loud, people speak over it.",
        "Wind in the microphone, an aeroplane, or music with no rotor in it.",
    ),
    "chainsaw": _Wording(
        "a chainsaw",
        "Somebody cuts a trunk with a chainsaw, or starts it.",
        "A hand saw, an axe, or a felled tree with no saw in the picture.",
        "a chainsaw",
        "Its engine idles or howls in the wood.",
        "A lawn mower or motorbike; or a tree that falls while the saw is off.",
    ),
}


def words(category: str) -> str:
    """A category's name for people: `baby_crying` as `baby crying`."""
    return category.replace("_", " ").strip()


def question_for(category: str, modality: Modality) -> Question:
    """What to ask about a piece of a category; for categories beyond the paper's ten in general words."""
    wording = _WORDINGS.get(category) or _general(words(category))
    if modality == "picture":
        text = f"Is the source of the sound visible in the picture: {wording.source}?"
        return Question(text, wording.seen, wording.not_seen)
    return Question(f"Is this sound prominent: {wording.sound}?", wording.heard, wording.not_heard)


def _general(name: str) -> _Wording:
    return _Wording(
        name,
        f"What makes the sound ({name}) can be made out, even if it is small, at the edge or partly hidden.",
        f"A place where {name} could be, but it cannot be seen.",
        name,
        f"You hear at once: {name}. Other sounds may be there too.",
        f"Speech or music is far louder than {name}; or it is so faint that you have to guess.",
    )
