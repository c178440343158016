"""`make fire SEED=.. MINUTES=.. KILLS=..`: random faults under load for as long as asked.

`make fire-recovery` kills one process at a time and says what each recovery waited for;
`make fire-outage` takes Kafka away for a minute and says how soon all is as it should be;
`make fire-brokers` kills leaders of three nodes and restarts each in turn; `make fire-disk` fills
PostgreSQL's disk, makes it slow, and lets it hang.
"""

import argparse
import contextlib
import secrets
import signal
import sys
from pathlib import Path

from tests.fire import evidence, history
from tests.fire.checker import check
from tests.fire.run import Plan, run
from tests.fire.summary import figures, summary

PLACE = Path(".revocast/fire")


def main() -> int:
    """0 when no promise was broken, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make fire", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--every", type=float, default=1.5, help="seconds between faults, mean")
    parser.add_argument(
        "--one-by-one", nargs="*", metavar="NAME", help="one kill at a time, of these or all"
    )
    parser.add_argument(
        "--outage", type=float, metavar="SECONDS", help="nothing but so long without Kafka"
    )
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="nodes of Kafka")
    parser.add_argument(
        "--rolling", action="store_true", help="nothing but leaders lost, and each node restarted"
    )
    parser.add_argument(
        "--bad-disk", action="store_true", help="nothing but PostgreSQL's disk full, slow and stuck"
    )
    parser.add_argument("--check", type=Path, help="only check again what a run left there")
    asked = parser.parse_args()
    if asked.check is not None:
        found = check(history.read(asked.check / "history.jsonl"), evidence.kept(asked.check))
        _say("\n".join([*map(str, found), f"violations  {len(found)}"]))
        return 1 if found else 0
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    again = f"seed {seed}; again: {_again(asked, seed)}"
    _say(again)
    plan = Plan(
        seed=seed,
        minutes=asked.minutes,
        kills=asked.kills,
        directory=PLACE / str(seed),
        every=asked.every,
        one_by_one=asked.one_by_one is not None,
        outage=asked.outage,
        brokers=3 if asked.rolling else asked.brokers,
        rolling=asked.rolling,
        bad_disk=asked.bad_disk,
        only=tuple(asked.one_by_one or ()),
        say=_say,
    )
    outcome = run(plan)
    lines = [*summary(outcome), again, f"fire: seed {seed}, {figures(outcome)}"]
    (plan.directory / "summary.txt").write_text("\n".join(lines) + "\n")
    _say("\n".join(lines))
    return 1 if outcome.violations or outcome.unready else 0


def _again(asked: argparse.Namespace, seed: int) -> str:
    if asked.outage is not None:
        return f"make fire-outage SEED={seed} SECONDS={asked.outage:g}"
    if asked.rolling:
        return f"make fire-brokers SEED={seed}"
    if asked.bad_disk:
        return f"make fire-disk SEED={seed}"
    same = f"SEED={seed} MINUTES={asked.minutes:g} KILLS={asked.kills}"
    same += "" if asked.brokers == 1 else f" BROKERS={asked.brokers}"
    if asked.one_by_one is None:
        return f"make fire {same} EVERY={asked.every:g}"
    only = " ".join(asked.one_by_one)
    return f"make fire-recovery {same}" + (f' ONLY="{only}"' if only else "")


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
