"""The database side: numbered migrations, and functions and views, one object a file.

`flowledger.engine.store.schema.migrate` applies them and states the rules that these files follow.
"""

from __future__ import annotations
