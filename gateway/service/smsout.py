"""Triggers that go out by SMPP: one pump for each operator that is configured."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger

from gateway.config import Config, Operator, Receipts
from gateway.interfaces import IOutbox, ITrace
from gateway.mail.server import certificates
from gateway.metrics import Metrics
from gateway.service.mailout import trusted
from gateway.sms.alphabet import ASCII, GSM, LATIN1, UCS2
from gateway.sms.formats import Carriage, TriggerFormat, letter_parts
from gateway.sms.meters import Meters
from gateway.sms.operator import CentreState
from gateway.sms.pump import Pump
from gateway.sms.settings import Binding, IdForm, OperatorSettings, Timing
from gateway.sms.udh import Concatenation, Part
from gateway.trigger import Letter

_PLACE = re.compile(r"(tcp|tls):((?:[^:\\]|\\:)+):(\d+)")
_ALPHABETS = {"gsm": GSM, "ascii": ASCII, "latin1": LATIN1, "ucs2": UCS2}
_REGISTERED = {Receipts.NONE: 0, Receipts.ALL: 1, Receipts.FAILURES: 2}
_VERSIONS = {"3.4": 0x34, "5.0": 0x50}


def operator_settings(config: Config, name: str) -> OperatorSettings:
    """What is configured of an operator with SMPP."""
    operator = config.operators[name]
    validity = operator.validity_seconds
    return OperatorSettings(
        name=name,
        system_id=operator.system_id,
        password=operator.password,
        system_type=operator.system_type,
        interface_version=_VERSIONS[operator.interface_version.value],
        binding=Binding(operator.bind.value),
        binds=operator.binds,
        window=operator.window,
        rate=operator.rate,
        service_type=operator.service_type,
        source=operator.source_address,
        source_ton=operator.source_ton,
        source_npi=operator.source_npi,
        destination_ton=operator.destination_ton,
        destination_npi=operator.destination_npi,
        number_strip=operator.number_strip,
        number_add=operator.number_add,
        validity=config.sms.batch_seconds if validity is None else validity,
        replace_if_present=operator.replace_if_present,
        receipts=_REGISTERED[operator.receipts],
        id_form=IdForm(operator.message_id.value),
        retries=operator.retries,
        retry_seconds=operator.retry_seconds,
        timing=Timing(response=operator.response_seconds, silence=operator.enquire_link_seconds),
    )


def trigger_format(config: Config, operator: Operator) -> TriggerFormat:
    """What a trigger is at an operator."""
    sms = config.sms
    return TriggerFormat(
        kind=(operator.trigger_format or sms.trigger_format).value,
        template=sms.text_template,
        si_href=sms.si_href,
        si_text=sms.si_text,
        si_seconds=sms.batch_seconds,
        emn_mailbox=sms.emn_mailbox,
        port=sms.binary_port,
        binary=sms.binary_content,
    )


def carriage(operator: Operator) -> Carriage:
    """How an operator takes messages."""
    return Carriage(
        Concatenation(operator.concatenation.value),
        _ALPHABETS[operator.encoding.value],
        operator.binary_coding,
        operator.port_fields,
    )


@frozen(kw_only=True)
class Contact:
    """Whatever makes connections to an operator begin anew when it changes; C{trust} are certificates in PEM form."""

    settings: OperatorSettings
    places: tuple[str, ...]
    trust: bytes = field(repr=False)
    server_name: str

    def endpoints(self, reactor: Any) -> list[tuple[str, IStreamClientEndpoint]]:
        """The SMSCs, each with its name for logs."""
        return [(place, self._endpoint(place, reactor)) for place in self.places]

    def _endpoint(self, place: str, reactor: Any) -> IStreamClientEndpoint:
        match = _PLACE.fullmatch(place)
        assert match is not None
        host = match[2].replace("\\:", ":")
        endpoint = HostnameEndpoint(reactor, host, int(match[3]))
        if match[1] == "tcp":
            return endpoint
        secured: IStreamClientEndpoint = wrapClientTLS(self._tls(self.server_name or host), endpoint)
        return secured

    def _tls(self, name: str) -> IOpenSSLClientConnectionCreator:
        """TLS by which the name of the SMSC is verified."""
        if not self.trust:
            return optionsForClientTLS(name)
        return optionsForClientTLS(name, trustRootFromCertificates(certificates(self.trust)))


def contacts(config: Config) -> dict[str, Contact]:
    """The operators with SMPP, by route.

    @raise BadCertificate: the certificates to trust cannot be read.
    """
    return {
        f"smpp:{name}": Contact(
            settings=operator_settings(config, name),
            places=operator.smpp,
            trust=trusted(operator.ca),
            server_name=operator.server_name,
        )
        for name, operator in config.operators.items()
        if operator.smpp
    }


def meters_of(metrics: Metrics) -> Meters:
    """Who counts what goes out by SMPP."""
    return Meters(
        submitted=lambda name, result: metrics.submits.labels(name, result).inc(),
        receipt=lambda name, state: metrics.receipts.labels(name, state).inc(),
        throttled=lambda name: metrics.throttled.labels(name).inc(),
        latency=lambda name, seconds: metrics.submit_seconds.labels(name).observe(seconds),
        binds=lambda name, number: metrics.binds.labels(name).set(number),
        alarm=lambda name, text: metrics.alarms.labels("operator").inc(),
    )


@define(eq=False)
class SmsOut:
    """The pumps of all operators with SMPP.

    @param now: seconds since the epoch. @param meters: who counts.
    @raise BadCertificate: see L{contacts}.
    """

    log = Logger()

    config: Config
    outbox: IOutbox
    trace: ITrace
    reactor: Any
    now: Callable[[], float] = time.time
    meters: Meters = field(factory=Meters)
    pumps: dict[str, Pump] = field(init=False, factory=dict)
    contacts: dict[str, Contact] = field(init=False)
    _running: bool = field(init=False, default=False)
    _ending: list[Deferred[None]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.contacts = contacts(self.config)
        for route in self.contacts:
            self.pumps[route] = self._pump(route)

    def start(self) -> None:
        """Bind, and begin with what is due."""
        self._running = True
        for pump in self.pumps.values():
            pump.startService()

    def kick(self, route: str) -> None:
        """Letters were queued for a route, perhaps one of these."""
        pump = self.pumps.get(route)
        if pump is not None and self._running:
            pump.kick()

    def states(self) -> dict[str, list[CentreState]]:
        """How the SMSCs of each route do."""
        return {route: pump.states() for route, pump in self.pumps.items()}

    def check(self, config: Config) -> None:
        """Whether a configuration could be put in force.

        @raise BadCertificate: it could not, see L{contacts}.
        """
        contacts(config)

    def apply(self, config: Config) -> None:
        """Put another configuration in force: only operators that have changed are bound to anew.

        @raise BadCertificate: see L{contacts}; all stays as it was.
        """
        now = contacts(config)
        before, self.contacts, self.config = self.contacts, now, config
        for route in [route for route, contact in before.items() if now.get(route) != contact]:
            self._end(self.pumps.pop(route))
        for route in [route for route in now if route not in self.pumps]:
            pump = self.pumps[route] = self._pump(route)
            if self._running:
                pump.startService()

    async def stop(self) -> None:
        """Wait for answers, write down what became of everything, and unbind."""
        self._running = False
        for pump in self.pumps.values():
            self._end(pump)
        for end in list(self._ending):
            await end

    def _end(self, pump: Pump) -> None:
        if not pump.running:
            return
        end = pump.stopService()
        self._ending.append(end)

        def ended(_: object) -> None:
            self._ending.remove(end)

        end.addErrback(lambda failure: self.log.failure("a pump did not stop", failure))
        end.addCallback(ended)

    def _pump(self, route: str) -> Pump:
        contact = self.contacts[route]
        return Pump(
            contact.settings,
            contact.endpoints(self.reactor),
            self.outbox,
            self.trace,
            self.render,
            self.reactor,
            self.now,
            self.meters,
        )

    def render(self, letter: Letter) -> list[Part]:
        """The messages of a letter.

        @raise ValueError: none can be made of it.
        """
        operator = self.config.operators.get(letter.route.partition(":")[2])
        if operator is None or not operator.smpp:
            raise ValueError("its operator is no longer reached by SMPP")
        return letter_parts(letter, trigger_format(self.config, operator), carriage(operator), self.now())
