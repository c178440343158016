"""The times that every part must agree on. Guards, issuer and topic retention derive from these."""

from datetime import timedelta

LONGEST_ACCESS_TOKEN = timedelta(minutes=15)
"""No access token lives longer: an entry may leave once every token it could kill is dead."""

SKEW = timedelta(seconds=10)
"""The largest clock difference between two machines that the system tolerates; the most leeway a
guard may give a token's times, and what a guard adds to its measured staleness."""

ENTRY_LIFETIME = LONGEST_ACCESS_TOKEN + SKEW
"""How long an entry stays in force after it was applied."""

REVOCATIONS_RETENTION = ENTRY_LIFETIME + timedelta(hours=1)
"""How long the revocations topic keeps a record; start-up refuses a topic that keeps less."""

PENDING_RESENT = timedelta(minutes=1)
"""How often an entry that no issuer has applied yet is sent again, with a new expiry."""

WATERMARK_INTERVAL = timedelta(seconds=1)
"""How often every source says how far it has delivered."""
