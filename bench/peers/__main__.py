"""Side by side: `make bench-peers` runs Keycloak, Hydra and ours in turn: docs/benchmarks.md.

Short runs add up: `--only hydra --runs 2` is one more visit, and the report is of all that is kept.
"""

import argparse
import sys
from pathlib import Path

import jwt
from rich.console import Console

from bench.operations import WrongAnswerError
from bench.peers import ours
from bench.peers.hydra import HYDRA
from bench.peers.keycloak import KEYCLOAK
from bench.peers.report import report
from bench.peers.results import forget, keep, kept
from bench.peers.visit import visit
from devstack.errors import DevstackError
from devstack.lifetime import ends_in_order

SYSTEMS = {system.name: system for system in (KEYCLOAK, HYDRA, ours.ALONE, ours.TOGETHER)}


def main(arguments: argparse.Namespace, console: Console) -> None:
    """Visit the systems in turn; write the report when all of them were visited."""
    say = console.out
    chosen = [SYSTEMS[name] for name in arguments.only]
    for system in chosen:
        system.prepare()
    if arguments.anew:
        forget()
    for _ in range(arguments.rounds):
        for system in chosen:
            say(f"{system.name}: starting")
            with system.running() as subject:
                found = visit(
                    system.name,
                    subject,
                    seconds=arguments.seconds,
                    runs=arguments.runs,
                    warm_up_seconds=arguments.warm_up,
                    say=say,
                )
            keep(found)
    missing = set(SYSTEMS) - {each.system for each in kept()}
    if missing:
        say(f"no report: {', '.join(sorted(missing))} not visited yet")
        return
    arguments.report.write_text(report(kept(), arguments.remark))
    say(f"written: {arguments.report}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM"
    )
    parser.add_argument(
        "--rounds", type=int, default=2, help="visits to each system; 0 only writes the report"
    )
    parser.add_argument("--runs", type=int, default=3, help="of each measure in a visit")
    parser.add_argument("--seconds", type=float, default=10.0, help="that a run lasts")
    parser.add_argument("--warm-up", type=float, default=300.0, help="seconds at most")
    parser.add_argument("--anew", action="store_true", help="forget earlier visits")
    parser.add_argument("--remark", default="", help="what a reader has to know of these visits")
    parser.add_argument("--report", type=Path, default=Path("docs/benchmarks.md"))
    return parser


if __name__ == "__main__":
    with ends_in_order():
        try:
            main(_parser().parse_args(), Console(soft_wrap=True))
        except (DevstackError, WrongAnswerError, jwt.InvalidTokenError) as failure:
            sys.exit(f"bench-peers: {failure}")
