"""Whether a coordinator is to lead its shard, as the process's `Shards` last decided."""

from __future__ import annotations

PARTS_OF_LEASE = 3
"""So often a lease is renewed, and looked at, before it runs out."""


class WantedShard:
    """One shard in one process. Any thread may tell and ask.

    Its lease is renewed with those of all others that the process leads. While it is wanted, the
    coordinator leads or asks for the lease; otherwise it gives up what it leads. One that was
    refused does not ask again before it is told so, when the lease may be free.
    """

    renewed = True
    """Whether others renew the lease, so that the coordinator need not."""

    def __init__(self, shard: int = 0) -> None:
        self.shard = shard
        self._wanted = False

    @property
    def wanted(self) -> bool:
        """Whether the shard shall be led here."""
        return self._wanted

    def assign(self, *, wanted: bool) -> None:
        """From now on the shard shall be led here, or not."""
        self._wanted = wanted

    def refused(self) -> None:
        """Another leads."""
        self._wanted = False


class AlwaysWanted(WantedShard):
    """Of a coordinator whom nobody tells anything: it asks for the lease whenever it looks."""

    renewed = False

    @property
    def wanted(self) -> bool:
        """Always."""
        return True
