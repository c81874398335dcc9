"""Names for containers that got none: an adjective and the surname of somebody of science."""

from __future__ import annotations

import random
from collections.abc import Callable

from naru.errors import FaultError

_ADJECTIVES = (
    "able agile amber ample ardent balmy bold brave breezy bright brisk calm candid careful "
    "cheerful clever cosy crisp curious dapper daring deft devoted eager earnest easy elated "
    "fair fearless fervent festive fleet fluent frank free gentle gifted glad golden graceful "
    "happy hardy hearty honest hopeful humble ideal jolly joyful keen kind lively loyal lucid "
    "lucky mellow merry mighty modest neat nimble noble open patient peaceful placid plucky "
    "polite proud prudent quick quiet radiant ready robust serene sharp silent sincere sleek "
    "smart snug sober solid spry steady stoic sturdy sunny sweet swift tender tidy tranquil "
    "trusty upbeat valiant vibrant vivid warm wise witty zealous zesty"
).split()
_SURNAMES = (
    "abel agnesi archimedes avicenna babbage banach bell bernoulli bohr boole born bose brahe "
    "cannon cantor carson cauchy cavendish chandrasekhar church copernicus curie dalton darwin "
    "descartes dijkstra dirac eratosthenes euclid euler faraday fermat fermi feynman fibonacci "
    "fourier franklin galileo galois gauss germain godel hamilton heisenberg herschel hertz "
    "hilbert hodgkin hopper hubble huygens hypatia joule kelvin kepler khayyam kovalevskaya "
    "lagrange lamarr laplace lavoisier leavitt leibniz linnaeus lovelace maxwell mayer "
    "mcclintock meitner mendel mendeleev mirzakhani napier nash newton nightingale noether "
    "ohm pascal pasteur pauli payne perlman planck poincare ptolemy ramanujan riemann "
    "rutherford shannon sinoussi somerville sutherland tesla thales torvalds turing volta "
    "wallace watt weierstrass wiener wilson wu yalow yonath"
).split()
_ATTEMPTS = 64


def generate_name(is_free: Callable[[str], bool]) -> str:
    """Return a name like `calm_noether` that is free.

    Raises:
        FaultError: no free one was met; with ten thousand names this means that all are used.
    """
    for attempt in range(_ATTEMPTS):
        name = f"{random.choice(_ADJECTIVES)}_{random.choice(_SURNAMES)}"
        if attempt >= _ATTEMPTS // 2:
            name += str(random.randrange(100_000))
        if is_free(name):
            return name
    raise FaultError("no free container name was found")
