"""`make fire SEED=.. MINUTES=.. KILLS=..`: random faults under load for as long as asked."""

import argparse
import contextlib
import secrets
import signal
import sys
from pathlib import Path

from tests.fire import evidence, history
from tests.fire.checker import check
from tests.fire.run import Plan, run
from tests.fire.summary import summary

PLACE = Path(".revocast/fire")


def main() -> int:
    """0 when no promise was broken, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make fire", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--every", type=float, default=1.5, help="seconds between faults, mean")
    parser.add_argument("--check", type=Path, help="only check again what a run left there")
    asked = parser.parse_args()
    if asked.check is not None:
        found = check(history.read(asked.check / "history.jsonl"), evidence.kept(asked.check))
        _say("\n".join([*map(str, found), f"violations  {len(found)}"]))
        return 1 if found else 0
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    again = f"make fire SEED={seed} MINUTES={asked.minutes:g} KILLS={asked.kills}"
    _say(f"seed {seed}; again: {again} EVERY={asked.every:g}")
    plan = Plan(
        seed=seed,
        minutes=asked.minutes,
        kills=asked.kills,
        directory=PLACE / str(seed),
        every=asked.every,
        say=_say,
    )
    outcome = run(plan)
    lines = [*summary(outcome), f"seed          {seed}; again: {again} EVERY={asked.every:g}"]
    (plan.directory / "summary.txt").write_text("\n".join(lines) + "\n")
    _say("\n".join(lines))
    return 1 if outcome.violations or outcome.unready else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Whoever ends us, also from a shell's background, ends what we started.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
