"""A model of Postgres: a transaction draws its own number, then ids, and commits or not."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from messaging.gaps import EDGE, Gaps


@dataclass
class Transaction:
    xid: int
    ids: list[int] = field(default_factory=list)


@dataclass
class Model:
    """The outbox as its relay sees it."""

    next_xid: int = 1
    next_id: int = 1
    running: list[Transaction] = field(default_factory=list)
    visible: list[int] = field(default_factory=list)
    latest_ended: int = 0
    gaps: Gaps = field(default_factory=Gaps)
    published: list[int] = field(default_factory=list)

    def new_xid(self) -> int:
        self.next_xid += 1
        return self.next_xid - 1

    def begin(self) -> None:
        self.running.append(Transaction(self.new_xid()))

    def insert(self, which: int) -> None:
        if self.running:
            self.running[which % len(self.running)].ids.append(self.next_id)
            self.next_id += 1

    def end(self, which: int, *, commits: bool) -> None:
        if self.running:
            transaction = self.running.pop(which % len(self.running))
            self.latest_ended = max(self.latest_ended, transaction.xid)
            if commits:
                self.visible += transaction.ids

    def xmin(self) -> int:
        """As Postgres computes it: only transactions below the snapshot's xmax count as running."""
        xmax = self.latest_ended + 1
        return min((each.xid for each in self.running if each.xid < xmax), default=xmax)

    def look(self) -> None:
        missing = set(self.gaps.missing)
        shown = [each for each in self.visible if each > self.gaps.high or each in missing]
        self.gaps.see(shown, xmin=self.xmin())
        self.published += shown
        if shown:  # the batch is written, by a transaction with a number of its own
            xid = self.new_xid()
            self.latest_ended = max(self.latest_ended, xid)
            self.gaps.bound_by(xid)

    def take_over(self) -> None:
        """Another owner goes on with what was written down; its own number bounds every gap."""
        xid = self.new_xid()
        self.latest_ended = max(self.latest_ended, xid)
        self.gaps = Gaps(self.gaps.high, self.gaps.missing, xid)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "insert", "insert", "commit", "abort", "look", "take over"]),
        st.integers(0, 7),
    ),
    max_size=120,
)


def run(model: Model, steps: list[tuple[str, int]]) -> None:
    for step, which in steps:
        match step:
            case "begin":
                model.begin()
            case "insert":
                model.insert(which)
            case "commit" | "abort":
                model.end(which, commits=step == "commit")
            case "look":
                model.look()
            case _:
                model.take_over()


@given(STEPS)
def test_every_committed_row_is_shown_once(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of commits and looks, each committed row is published exactly once."""
    model = Model()
    run(model, steps)
    while model.running:
        model.end(0, commits=True)
    model.look()
    assert sorted(model.published) == sorted(model.visible)


@given(STEPS)
def test_no_gap_is_kept_for_ever(steps: list[tuple[str, int]]) -> None:
    """Once every transaction has ended, the next looks leave no gap."""
    model = Model()
    run(model, steps)
    while model.running:
        model.end(0, commits=False)
    for _ in range(2):
        model.begin()
        model.insert(0)
        model.end(0, commits=True)
        model.look()
    assert model.gaps.missing == []


def test_a_running_transaction_above_the_snapshot_keeps_its_gap() -> None:
    """The snapshot's xmax is no bound: a later transaction may hold the lower id."""
    model = Model()
    model.begin()
    model.begin()
    model.insert(1)
    model.insert(0)
    model.end(0, commits=True)
    model.look()
    assert model.gaps.missing == [1]
    model.look()
    assert model.gaps.missing == [1]
    model.end(0, commits=True)
    model.look()
    assert model.published == [2, 1]


def test_a_sequence_set_forward_does_not_fill_the_memory() -> None:
    """Only the ids near both ends of a huge jump are looked for."""
    gaps = Gaps(high=10)
    gaps.see([10**12], xmin=1)
    assert len(gaps.missing) == 2 * EDGE
    assert (gaps.missing[0], gaps.missing[-1]) == (11, 10**12 - 1)
