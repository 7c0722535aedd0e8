"""Words of titles and names of performers, most frequent first, and as many more as are wanted."""

import random
from collections.abc import Iterator

_LISTED = """
the love you of a me in to my i and on it night heart time life your baby with don't dream rain dance world blue home
girl song man day one down never away all light fire moon sun back heaven river summer crazy lonely sweet little black
golden star road city street midnight morning again forever without nothing tears kiss good bad wild free stay run gone
high deep broken young old new last first only dark white red silver angel devil queen king soul magic shadow storm wind
sea ocean sky stone paper glass mirror window door house garden rose flower bird wolf horse train car radio guitar drum
piano voice echo silence whisper scream laughter sorrow joy hope faith truth lie war peace freedom money diamond dust
corazón amor noche vida canción mañana été rêve cœur größe für ça naïve façade señorita São você año fjord
ångström żółty ночь любовь море звезда 夜 愛 星 音楽 사랑 بحر 100% 50% c_major take_five m&m's rock'n'roll r&b ?!
(live) (remix) feat. no.1
"""
WORDS = _LISTED.split()

GENRES = ["Rock", "Pop", "Jazz", "Blues", "Soul", "Folk", "Metal", "Electronic", "Classical", "Reggae", "Hip-Hop"]

_STARTS = [
    "b",
    "br",
    "c",
    "ch",
    "d",
    "f",
    "fl",
    "g",
    "gr",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "qu",
    "s",
    "sh",
    "st",
    "t",
    "tr",
    "z",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "io", "ou", "ü", "é"]
_ENDS = ["", "", "", "n", "r", "s", "l", "m", "th", "ck", "nd", "x"]


def invented(source: random.Random) -> Iterator[str]:
    """Words of one to four syllables, each once."""
    known = set()
    while True:
        syllables = (
            source.choice(_STARTS) + source.choice(_VOWELS) + source.choice(_ENDS) for _ in range(source.randint(1, 4))
        )
        word = "".join(syllables)
        if word not in known:
            known.add(word)
            yield word
