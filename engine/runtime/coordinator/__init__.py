"""The coordinator of a shard: it follows the log, decides, and commits decisions with its position.

Who owns what
-------------

One coordinator leads a shard. The shard's row says which, with an epoch and a lease. Only the
leader appends decisions. It owns the shard's position: every fact up to the position has been
folded and answered, and the answers are in the log; but for tasks that a joint round has left
behind, of which the shard's row knows. Anybody may append facts at any time.

One step
--------

1. Read the facts after the position.
2. Fold each fact into its task and decide what follows.
3. Fire the timers that are due.
4. Queue steps that waited for room, and have tasks begin that wait to (`task_beginnings.py`).
5. Commit events, queue rows, readiness, timers and the new position in one transaction, which
   compares position and epoch with the stored ones.

Under load (`coordinator.pipeline_events`) the coordinator pipelines. It commits batch N in a
background thread while it decides batch N+1, and sends N+1 only after N is stored. Timers are
fired between commits.

What is authoritative
---------------------

The log and the shard's row. Runs in memory are a cache of folds: facts up to the position, and all
decisions. When a commit fails, what it touched is dropped from memory and folded again.

What can go wrong
-----------------

- Another coordinator leads: the commit is refused (LeadershipLost), nothing is stored, and this one
  is a standby that asks for the lease again.
- Someone appended to a stream that a decision was for (StreamMoved), for example a completion that
  raced a timeout: nothing is stored. The fact is after the position. The next batch reads twice as
  many facts, so that the fact is folded before the same decision is made again.
- The answer to a commit is lost (DatabaseUnavailable): the coordinator drops all it has in memory,
  asks for the lease and goes on from the stored position, which says whether the commit happened.
- It is killed anywhere: the same, by the next leader.
- A notification is lost: the coordinator reads the log at least once a poll interval.
- A task cannot be decided on, because the log was tampered with, a row is wrong, its template is
  gone or a bug wrote something: the task is parked, and the others go on (`quarantine.py`).
- The database refuses a value in a commit: nothing is stored, and for a while each batch is about
  one task only. The task whose commit is refused then is parked, unless everything is refused,
  which is the database's outage (`task_fault_or_database_outage.py`).
- A queue row is lost: the coordinator looks for such steps once a reconcile interval and queues
  them again. One that was running is given up when it is found a second time.
"""
