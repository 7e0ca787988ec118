"""Tests of the network that drops connections."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.network import KEPT_DEAD, Carrier, Mode, Network, _End, seconds


class Wire(StringTransportWithDisconnection):
    """One end's transport; C{aborted} tells that it was reset."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class NetworkTests(SynchronousTestCase):
    def start(self, carrier: Carrier) -> Network:
        self.reactor = MemoryReactorClock()
        self.network = Network(carrier, self.reactor, TCP4ClientEndpoint(self.reactor, "192.0.2.1", 443))
        starting = Deferred.fromCoroutine(
            self.network.start(TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1"))
        )
        self.successResultOf(starting)
        return self.network

    def tearDown(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.network.stop()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def near(self) -> Wire:
        """A phone connects; its end of the link."""
        factory = self.reactor.tcpServers[0][1]
        return self.wire(factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)))

    def far(self) -> Wire:
        """The server accepts the newest connection; its end of the link."""
        factory = self.reactor.tcpClients[-1][2]
        return self.wire(factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 443)))

    def wire(self, protocol) -> Wire:
        wire = Wire()
        wire.protocol = protocol
        protocol.makeConnection(wire)
        return wire

    def link(self) -> tuple[Wire, Wire]:
        return self.near(), self.far()

    def test_forwards(self) -> None:
        """Bytes flow both ways."""
        self.start(Carrier())
        near, far = self.link()
        near.protocol.dataReceived(b"ask")
        far.protocol.dataReceived(b"answer")
        self.assertEqual((far.value(), near.value()), (b"ask", b"answer"))
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.1", 443))

    def test_waitsForTheServer(self) -> None:
        """A phone is not read before the server has accepted."""
        self.start(Carrier())
        near = self.near()
        self.assertEqual(near.producerState, "paused")
        self.far()
        self.assertEqual(near.producerState, "producing")

    def test_backPressure(self) -> None:
        """An end that does not take what it is sent stops the other one from being read."""
        self.start(Carrier())
        near, far = self.link()
        self.assertTrue(near.streaming and far.streaming)
        far.producer.pauseProducing()
        self.assertEqual((near.producerState, far.producerState), ("paused", "producing"))
        far.producer.resumeProducing()
        near.producer.pauseProducing()
        self.assertEqual((near.producerState, far.producerState), ("producing", "paused"))

    def test_close(self) -> None:
        """When one end closes, so does the other, and the link is forgotten."""
        for first in (0, 1):
            network = self.start(Carrier(idle=60))
            ends = self.link()
            ends[first].loseConnection()
            self.assertEqual([end.connected for end in ends], [False, False])
            self.assertEqual(network.connections, 0)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """When the server refuses, the phone is reset."""
        network = self.start(Carrier())
        near = self.near()
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(self.reactor.connectors[-1], Failure(ConnectionRefusedError()))
        self.assertTrue(near.aborted)
        self.assertEqual(network.connections, 0)

    def test_leftWhileConnecting(self) -> None:
        """A phone that leaves before the server has accepted leaves nothing behind."""
        network = self.start(Carrier())
        near = self.near()
        near.loseConnection()
        self.assertEqual(network.connections, 0)
        self.assertTrue(self.reactor.connectors[-1].stoppedConnecting)

    def test_leftBeforeTheServer(self) -> None:
        """A server that accepts after the phone has left is reset."""
        self.start(Carrier())
        link = self.near().protocol.link
        link.ends[0].transport.loseConnection()
        late = self.wire(_End(link, far=True))
        self.assertTrue(late.aborted)

    def test_idleSilent(self) -> None:
        """After the idle time nothing flows any more, and neither end is told."""
        network = self.start(Carrier(idle=780))
        near, far = self.link()
        self.reactor.advance(700)
        far.protocol.dataReceived(b"1")
        self.reactor.advance(700)
        near.protocol.dataReceived(b"2")
        self.assertEqual(far.value(), b"2")
        self.reactor.advance(779)
        self.assertEqual(network.connections, 1)
        self.reactor.advance(1)
        near.protocol.dataReceived(b"3")
        far.protocol.dataReceived(b"4")
        self.assertEqual((far.value(), near.value()), (b"2", b"1"))
        self.assertTrue(near.connected and far.connected)
        self.assertEqual(network.connections, 0)

    def test_deadStaysDead(self) -> None:
        """When the phone closes a connection that was dropped silently, the server does not hear of it."""
        self.start(Carrier(idle=10))
        near, far = self.link()
        self.reactor.advance(10)
        near.loseConnection()
        self.assertTrue(far.connected)
        far.loseConnection()
        self.assertEqual(len(self.network._links), 0)

    def test_idleReset(self) -> None:
        """In the other mode both ends are reset."""
        network = self.start(Carrier(idle=10, mode=Mode.RESET))
        near, far = self.link()
        self.reactor.advance(10)
        self.assertTrue(near.aborted and far.aborted)
        self.assertEqual(network.connections, 0)

    def test_fullWhenDropped(self) -> None:
        """An end that was not read because the other was slow is read again when dropped, so that its close is seen."""
        self.start(Carrier(idle=10))
        near, far = self.link()
        far.producer.pauseProducing()
        self.reactor.advance(10)
        self.assertEqual(near.producerState, "producing")
        self.assertIsNone(far.producer)

    def test_deadAreBounded(self) -> None:
        """Connections dropped silently do not pile up for ever: the oldest are closed."""
        self.start(Carrier(idle=10))
        links = [self.link() for _ in range(KEPT_DEAD + 2)]
        self.reactor.advance(10)
        self.near()
        self.assertEqual([near.aborted for near, _ in links[:3]], [True, True, False])

    def test_loss(self) -> None:
        """At the time of loss every connection is dropped; new ones work."""
        network = self.start(Carrier(loss=30))
        self.link()
        waiting = self.near()
        self.reactor.advance(30)
        self.assertEqual(network.connections, 0)
        late = self.far()
        waiting.protocol.dataReceived(b"x")
        self.assertEqual(late.value(), b"")
        near, far = self.link()
        near.protocol.dataReceived(b"x")
        self.assertEqual(far.value(), b"x")

    def test_change(self) -> None:
        """At a change of network the phone hears of it first, and then every connection is reset."""
        network = self.start(Carrier(change=30))
        near, _ = self.link()
        heard: list[bool] = []
        network.on_change(lambda: heard.append(near.connected))
        self.reactor.advance(30)
        self.assertEqual(heard, [True])
        self.assertTrue(near.aborted)

    def test_stop(self) -> None:
        """A network that stops resets what is open, also what waits for the server."""
        network = self.start(Carrier(idle=5, loss=50, change=60))
        near, far = self.link()
        waiting = self.near()
        self.successResultOf(Deferred.fromCoroutine(network.stop()))
        self.assertTrue(near.aborted and far.aborted and waiting.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class CarrierTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """What a network does is written as words; none is a good network."""
        self.assertEqual(Carrier.parse("idle=13m"), Carrier(idle=780))
        self.assertEqual(Carrier.parse("idle=90s, mode=reset,loss=60,change=1.5h"), Carrier(90, Mode.RESET, 60, 5400))
        self.assertEqual([Carrier.parse(text) for text in ("", "none")], [Carrier(), Carrier()])

    def test_refused(self) -> None:
        """Unknown words and times that are none are refused."""
        for text in (
            "idle",
            "idle=",
            "idle=0",
            "idle=-1",
            "idle=1.2.3",
            "idle=m",
            "speed=3",
            "mode=loud",
            "loss=99999h",
        ):
            with self.assertRaises(ValueError, msg=text):
                Carrier.parse(text)

    def test_seconds(self) -> None:
        """Times have a unit or are seconds."""
        self.assertEqual([seconds(text) for text in ("90", "0.5s", "13m", "1h")], [90, 0.5, 780, 3600])
