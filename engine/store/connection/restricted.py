"""Which statements end a transaction, by their text: who was lent a cursor may not send them."""

from __future__ import annotations

import re

SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
ENDS = re.compile(
    rf"{SPACE}*(?:abort|begin|commit|end|prepare{SPACE}+transaction|start{SPACE}+transaction"
    rf"|rollback(?!{SPACE}+(?:(?:work|transaction){SPACE}+)?to\b))\b",
    re.IGNORECASE | re.DOTALL,
)
