"""Connection strings without their passwords, for messages."""

from __future__ import annotations

from urllib.parse import quote

import psycopg
from psycopg import conninfo
from psycopg.pq import Conninfo

from flowledger.engine.display_text import HIDDEN

SECRET_PARTS = frozenset({"password", "sslpassword", "oauth_client_secret"})


def shown_address(url: str) -> str:
    """A connection string without its secrets: where it has any, made anew of its other parts.

    A text that is no connection string is not shown at all, since any of it may be a password.

    >>> shown_address("host=db user=ada password='a b' dbname=flow")
    'postgresql://ada:***@db/flow'
    """
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return HIDDEN
    if not all(one.isdecimal() for one in str(parts.get("port", "0")).split(",")):
        return HIDDEN  # an unescaped slash or colon in a password made a port of it
    if not SECRET_PARTS & parts.keys():
        return url
    user, host = quote(str(parts.get("user", ""))), quote(str(parts.get("host", "")), safe="[]:,")
    port = f":{parts['port']}" if "port" in parts else ""
    return f"postgresql://{user}:{HIDDEN}@{host}{port}/{quote(str(parts.get('dbname', '')))}"


def unknown_parameter(url: str) -> str | None:
    """The parameter because of which an URL is none, where it is sure not to be of a password.

    >>> unknown_parameter("postgresql://ada:secret@db/flow?autocommit=1")
    'autocommit'
    """
    address, _, query = url.partition("?")
    try:
        conninfo.conninfo_to_dict(address)
    except (psycopg.Error, UnicodeEncodeError):
        return None
    if "@" in query or "://" not in address:  # the question mark was one of the password
        return None
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    parts = [part.partition("=") for part in query.split("&")]
    names = [name for name, is_set, _ in parts if is_set]
    if SECRET_PARTS & {*names}:  # what follows it may be a part of it
        return None
    return next((name for name in names if name.isidentifier() and name not in known), None)


FOR_PSQL = ("service", "host", "hostaddr", "port", "user", "dbname", "sslmode", "sslrootcert")


def address_for_psql(info: psycopg.ConnectionInfo) -> str:
    """A connection string by which psql comes to the same database, without a password."""
    given = info.get_parameters()
    parts = {name: given[name] for name in FOR_PSQL if name in given}
    known = {"host": info.host, "port": str(info.port), "user": info.user, "dbname": info.dbname}
    return conninfo.make_conninfo("", **{**{k: v for k, v in known.items() if v}, **parts})
