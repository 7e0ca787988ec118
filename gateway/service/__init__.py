"""The composition root: here and nowhere else concrete classes meet."""

from gateway.service.gateway import GatewayService
from gateway.service.logs import json_observer

__all__ = ["GatewayService", "json_observer"]
