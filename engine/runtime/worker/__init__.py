"""The worker: claims steps, runs their handlers and reports the outcomes.

Who owns what
-------------

A worker owns the queue rows that carry its id, as long as its lease is renewed. It appends facts to
the streams of these steps and to no others. It never decides what follows.

One step of the loop
--------------------

One transaction, an exchange, reports all outcomes since the last exchange and claims as many steps
as there are free slots. Outcomes that come while it is under way go into the next one. So batches
are as large as the load makes them, and an idle worker waits for nothing.

At intervals, and whenever something is cancelled, the worker checks the steps that it runs: it
stores their heartbeats, signals those that are to stop, and gives up those that it no longer owns.

What is authoritative
---------------------

The step's stream. If the log refuses a start or an outcome, the worker has lost the step. There is
one exception: a checkpoint or a cancel signal advanced the stream while the queue row still names
this worker. Then the worker reports again with the next version.

What can go wrong
-----------------

- The step was taken away, by a timeout or because the lease expired: a coroutine is cancelled, a
  thread is abandoned and keeps its slot until it ends. What they report is refused and dropped.
- Abandoned handlers take too many slots: the worker is stuck. It claims nothing more, finishes
  what runs, and says so to whoever can restart it.
- A coroutine blocks its event loop: the other coroutines on it are released (`coroutine_loops.py`).
- The answer to an exchange is lost: the facts are reported again, and the log recognises them by
  their bytes. Claims that were stored are found in the queue, and run. The database may also carry
  out the exchange later, within the statement timeout: until then the worker asks for its claims
  again and again, and at longer intervals after that.
- A handler ends the whole process: the lease expires, and the coordinator gives the steps to other
  workers. A step that lost as many workers as it may is run alone, so that no other step is
  suspected: while there are such steps, one worker is isolated and claims nothing else.
- The worker dies otherwise: the same.
- The database is away: handlers go on, outcomes wait, nothing is claimed.
- The database refuses a batch, or a fact cannot be encoded: the facts are reported one by one
  (`outbox.py`).
- The inputs of a step cannot be read: that step fails, and those claimed with it run.
- The worker is to stop: it claims nothing more. What still runs when the grace period ends is
  released, which the log records.
"""
