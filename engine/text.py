"""Passwords in URLs and connection strings, taken out of any text before it is shown or logged."""

from __future__ import annotations

import re

HIDDEN = "***"

# Greedy up to the last @ of the word: an unescaped @ inside a password must not reveal its rest.
_USER_INFO = re.compile(r"://([^:/@\s]*):[^\s]*@")
_PARAMETER = re.compile(
    r"(password|passwd)(\s*=\s*)('(?:[^'\\]|\\.)*(?:'|$)|(?:\\.|[^\s&\\])+)", re.IGNORECASE
)


def redact(text: str) -> str:
    """The text with `***` for every password of a URL or connection string in it.

    >>> redact("postgresql://ada:secret@db/flow?sslmode=require")
    'postgresql://ada:***@db/flow?sslmode=require'
    """
    if "://" in text:
        text = _USER_INFO.sub(r"://\1:***@", text)
    if "passw" in text.lower():
        text = _PARAMETER.sub(r"\1\2***", text)
    return text
