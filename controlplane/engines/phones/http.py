"""Gateways that take a message as one HTTP POST."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from string import Template
from urllib.parse import quote_plus

import httpx

from controlplane.engines.phones.contract import Answer, Kind
from controlplane.setting_values import Gateway

_SECONDS = 15.0
_SHOWN = 500
_GONE = (404, 410)
_SLOW_DOWN = 429


class HttpGateways:
    """The gateways of the settings."""

    def __init__(self, sms: Gateway | None, push: Gateway | None) -> None:
        self._gateways: dict[Kind, Gateway | None] = {"sms": sms, "push": push}

    def configured(self, kind: Kind) -> bool:
        return self._gateways[kind] is not None

    def price(self, kind: Kind) -> float:
        gateway = self._gateways[kind]
        return gateway.price if gateway is not None else 0.0

    async def send(self, kind: Kind, fields: Mapping[str, str]) -> Answer:
        gateway = self._gateways[kind]
        assert gateway is not None
        headers = {"content-type": "application/json", **{k.lower(): v for k, v in gateway.headers.items()}}
        try:
            async with httpx.AsyncClient(
                verify=ssl.create_default_context(), trust_env=False, timeout=_SECONDS
            ) as client:
                body = _body(gateway.body, fields, headers["content-type"])
                answer = await client.post(gateway.url, content=body, headers=headers)
        except (OSError, httpx.HTTPError) as error:
            return Answer(ok=False, status=0, text=type(error).__name__)
        status = answer.status_code
        final = 300 <= status < 500 and status != _SLOW_DOWN
        gone = kind == "push" and status in _GONE
        return Answer(200 <= status < 300, status, answer.text[:_SHOWN], final, gone)


def _body(template: str, fields: Mapping[str, str], content_type: str) -> bytes:
    if not template:
        return json.dumps(dict(fields)).encode()
    form = content_type.startswith("application/x-www-form-urlencoded")
    escape: Callable[[str], str] = quote_plus if form else json.dumps
    return Template(template).safe_substitute({name: escape(text) for name, text in fields.items()}).encode()
