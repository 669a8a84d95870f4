"""Names for runs that were given none."""

from __future__ import annotations

import random

__all__ = ["is_made_up", "run_name"]

_QUALITIES = """
able agile amber ample apt azure bold brave breezy bright brisk calm candid clever coral cosmic crisp curious daring
deft eager earnest early easy fair fleet fond frank fresh gentle glad golden grand green happy hardy honest humble
jolly keen kind lively loyal lucid lucky mellow merry mild misty modest nimble noble patient placid plucky polite proud
quick quiet rapid ready rosy royal rustic sage serene sharp silent silver sincere smart snowy solid spry steady sunny
swift tidy tranquil trusty upbeat vivid warm wise witty young zesty
""".split()  # noqa: SIM905  a list would be a page

_BEINGS = """
alpaca ant badger bat beaver bee bison bittern boar bream buzzard camel carp cicada civet cobra condor coot cormorant
crane cricket crow curlew deer dingo dolphin dove duck dunlin eagle eel egret elk ermine falcon ferret finch firefly
fox gannet gazelle gecko gibbon godwit goose grebe grouse gull hare hawk heron hoopoe ibex ibis impala jackal jay
kestrel kite kiwi koala lapwing lark lemur linnet llama lobster loon lynx magpie marmot marten merlin mole moose moth
newt ocelot okapi orca osprey otter owl panda perch petrel pika pike pipit plover puffin quail raven redstart robin
rook ruff salmon seal shrew shrike skua snipe sparrow squid starling stoat stork swallow swan swift tapir tern thrush
tiger toad trout turtle vole wagtail walrus weasel whale wolf wombat wren yak zebra
""".split()  # noqa: SIM905


def run_name(chance: random.Random | None = None) -> str:
    """
    Return two words, chosen by *chance*.

    >>> run_name().count("-")
    1
    """
    choose = random.choice if chance is None else chance.choice
    return f"{choose(_QUALITIES)}-{choose(_BEINGS)}"


def is_made_up(name: str) -> bool:
    """
    Tell whether nobody has given a run its *name*.

    >>> is_made_up(run_name()), is_made_up("May, once more")
    (True, False)
    """
    quality, _, being = name.partition("-")
    return quality in _QUALITIES and being in _BEINGS
