"""The projection host: applies the log to generations of projections, each under a lease.

Who owns what
-------------

Each generation of a projection is a row with a lease, an epoch and a position. Only the host that
holds the lease moves the position, by compare-and-swap, in the transaction that writes what the
projection's methods wrote. Hosts share the generations as coordinators share shards; a host leads
only what it has the code of, by name and version.

One step
--------

1. Read which hosts are there, and take the fair share of generations.
2. For each generation that this host leads, apply one batch: read the events after its position
   that it subscribes to, call its methods, commit. Events that a projection does not subscribe to
   are skipped, and its position moves on anyway.

Projections are applied one after the other. While the server works on a batch, the next events are
read and decoded. Projections that are far behind share what is read and decoded, so one that is a
little ahead waits for the others.

What is authoritative
---------------------

The generation's row. After any failure the lease is asked for again, and work goes on from the
stored position, which says whether the last commit happened.

Generations
-----------

A new version, or a rebuild, is a generation of its own, beside the one that serves. It never goes
past the position of that one. When it has come as far, the views are swapped in one transaction,
and the old tables are dropped. Methods with effects outside the tables have none up to the position
of the old generation.

What can go wrong
-----------------

- A method raises, or the server refuses what it wrote: nothing of the batch is stored. The batch is
  halved until one event is left, and the projection's policy says what becomes of it.
- The database is away, or refuses for now: no event is blamed, and the same is tried later.
- The database is read-only for a while: sessions that are made meanwhile may stay read-only, so
  such a session is closed, and another is made when the loop tries again.
- The host dies or stops: its leases expire, and others go on from the stored positions.
- The server crashes, and loses the last rows, and the last events, that nobody waited for. What the
  host remembers is no older than its connection for batches: if that is lost, it reads again.
- Two hosts believe to lead: the epoch refuses one of them.
- The host is suspended or cut off in the middle of a batch, and its session holds locks: the next
  leader ends that session, at once, and again when its own batch has to wait for a lock.
"""
