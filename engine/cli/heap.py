"""What Python's collector looks at in a process that does nothing but play roles.

The loops make many objects that live for one batch, and hold some that live as long as a task. With
the interpreter's own thresholds the collector goes through all of them again and again, and finds
nothing: objects of the engine do not refer to each other in circles.
"""

from __future__ import annotations

import gc

CONTAINERS = 10_000
"""So many more objects than were freed are made before the collector looks at them (its 700)."""


def settle() -> None:
    """Have the collector pass over what is there by now, and look at the rest more rarely.

    For the whole process, so it is for programs to call, when everything is imported and opened.
    """
    gc.collect()
    gc.set_threshold(CONTAINERS)
    gc.freeze()
