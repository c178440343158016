import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
WALL_CLOCK = re.compile(r"\b(?:datetime|date)\.(?:now|today|utcnow)\b|\btime\.time(?:_ns)?\b")

HARMLESS = {
    "services/issuer/src/issuer/usecases/apply_kill.py": "150 s decide, whether to answer again",
    "services/issuer/src/issuer/usecases/guesses.py": "the minute that a count is told for",
    "services/issuer/src/issuer/pages/sealing.py": "cookies of pages, sealed and read by issuers",
    "libs/messaging/src/messaging/dead_letter.py": "when a letter was written",
}


def test_no_service_decides_by_a_clock_of_its_own() -> None:
    """Machines may differ by seconds: whoever decides asks the database what time it is."""
    places = [
        *CHECKOUT.glob("services/*/src"),
        *(CHECKOUT / "libs" / name / "src" for name in ("messaging", "servicekit", "oauth")),
    ]
    found = {
        str(file.relative_to(CHECKOUT))
        for place in places
        for file in place.rglob("*.py")
        if WALL_CLOCK.search(file.read_text())
    }
    assert found == set(HARMLESS)
