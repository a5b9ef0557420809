"""An order from the shop to the customer: validate it, reserve and charge at once, ship, notify."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pydantic import BaseModel

from flowledger.handlers import Retry, StepContext, Workflow


class Order(BaseModel):
    """What the shop knows when a customer has ordered."""

    id: int
    customer: str
    items: dict[str, int]
    cents: int


orders = Workflow("shop", "order", version="1.0.0", context=Order)


@orders.step
def validate(context: Order) -> dict[str, Any]:
    """Refuse orders of nothing."""
    time.sleep(0.4)
    return {"pieces": sum(context.items.values()), "cents": context.cents}


@orders.step(after=[validate])
async def inventory(context: Order) -> dict[str, Any]:
    """Reserve the pieces; a coroutine, so that waiting holds no thread."""
    await asyncio.sleep(0.9)
    return {"reserved": context.items}


@orders.step(after=[validate], retry=Retry(max_attempts=5, base_seconds=0.4, jitter="none"))
def payment(context: Order, me: StepContext) -> dict[str, Any]:
    """Charge the card. The bank does not answer twice; the key makes a charge happen once."""
    time.sleep(0.3)
    if me.attempt < 3:
        raise ConnectionError("the bank does not answer")
    return {"charged": context.cents, "receipt": me.idempotency_key[-12:]}


@orders.step(after=[inventory, payment])
def ship(inventory: dict[str, Any], payment: dict[str, Any]) -> dict[str, Any]:
    """Hand the parcel over; what the two steps before returned comes by their names."""
    time.sleep(0.5)
    return {"parcel": f"P-{payment['receipt'][-4:]}", "kinds": len(inventory["reserved"])}


@orders.step(after=[ship])
def notify(context: Order, ship: dict[str, Any]) -> str:
    """Tell the customer."""
    time.sleep(0.2)
    return f"{context.customer}: your parcel {ship['parcel']} is on its way"
