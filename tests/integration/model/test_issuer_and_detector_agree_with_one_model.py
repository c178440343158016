"""More examples: REVOCAST_TEST_MODEL_EXAMPLES; every run of one figure is the same run."""

import asyncio
import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from servicekit.postgres import create_pool
from tests.support.family_machine import FamilyMachine
from tests.support.family_model import FamilyModel
from tests.support.issuer import families_on

EXAMPLES = int(os.environ.get("REVOCAST_TEST_MODEL_EXAMPLES", "40"))
PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_random_lives_are_judged_alike(issuer_database: str, revocation_database: str) -> None:
    """Answers, rows, events and verdicts are the model's, whatever happens in whatever order."""
    with asyncio.Runner() as loop:
        issuer = loop.run(create_pool(issuer_database, size=2, application_name="model"))
        detector = loop.run(create_pool(revocation_database, size=2, application_name="model"))
        seen: set[str] = set()

        class Machine(FamilyMachine):
            runner = loop
            families = families_on(issuer)
            revocation = detector

            def teardown(self) -> None:
                super().teardown()
                seen.update(self.answered)
                for live in self.lives:
                    for told in live.model.told:
                        seen.update({told.name, *map(str, told.figures), *told.proves})

        try:
            run_state_machine_as_test(Machine, settings=PROFILE)
        finally:
            loop.run(issuer.close())
            loop.run(detector.close())
    assert seen >= EVERYTHING, EVERYTHING - seen


EVERYTHING = {
    *("rotated", "replayed", "limited", "stale", "denied", "unproven"),
    *("issued", "rotated", "replayed", "presented_stale", "ended", "denied"),
    *("future_generation", "cut", "idle_expired", "absolute_expired", "revoke_endpoint"),
    *("reuse", "replayed_from_another_network", "replayed_in_succession"),
}
"""What has to have happened, or the examples were too few to mean anything."""


def test_the_model_is_the_table() -> None:
    """The model's own edges: grace to the millisecond, three replays, none without grace."""
    model = _family(grace_ms=10_000)
    assert model.present(1, at=0, network="a") == "rotated"
    assert [model.present(1, at=10_000, network="a") for _ in range(4)] == [
        *["replayed"] * 3,
        "limited",
    ]
    assert model.present(1, at=12_001, network="a", waited_ms=2_001) == "limited"
    assert model.present(1, at=10_001, network="a") == "stale"
    strict = _family(grace_ms=0)
    assert strict.present(1, at=0, network="a") == "rotated"
    assert strict.present(1, at=0, network="a") == "stale"


def _family(*, grace_ms: int) -> FamilyModel:
    return FamilyModel(
        grace_ms=grace_ms,
        idle_ms=3_600_000,
        started_at=0,
        idle_expires_at=3_600_000,
        absolute_expires_at=3_600_000,
        rotated_at=0,
    )
