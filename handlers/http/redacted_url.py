"""A URL as it may be shown: nothing of it that is likely to be secret."""

from __future__ import annotations

from urllib.parse import urlsplit

from flowledger.handlers.errors import ConfigurationFault


def shown_url(url: str) -> str:
    """Scheme, host, port and path; the path alone where it is relative. Raises ConfigurationFault.

    Without user, password, query and fragment.

    >>> shown_url("https://ada:secret@shop.example:8443/orders/7?token=secret#top")
    'https://shop.example:8443/orders/7'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationFault("the URL is not valid") from None  # the cause would quote it
    # An unescaped slash in a password makes the rest of it look like a path.
    path = "/…" if "@" in parts.path else parts.path
    if not parts.netloc:
        return path
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{path}"
