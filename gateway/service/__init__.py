"""The composition root: here and nowhere else concrete classes meet."""

from gateway.service.gateway import GatewayService
from gateway.service.logs import JSONLogged

__all__ = ["GatewayService", "JSONLogged"]
