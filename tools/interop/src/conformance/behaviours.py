"""MQTT 3.1.1 behaviours as Eclipse Paho's Python client meets them: one behaviour a run.

    behaviours.py BEHAVIOUR PORT CA CERT KEY

Ends with status 0 when the broker behaves as the specification says.
"""

import queue
import socket
import ssl
import sys
import threading
import time

import paho.mqtt.client as mqtt

behaviour, port, ca, cert, key = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
PATIENCE = 20


class Client:
    """A client whose received messages are in `inbox`."""

    def __init__(self, name, clean=True, keepalive=60, will=None, kind=mqtt.Client):
        self.inbox, self.connected, self.granted = queue.Queue(), queue.Queue(), queue.Queue()
        self.left, self.lost = queue.Queue(), threading.Event()
        self.client = kind(name, clean_session=clean, protocol=mqtt.MQTTv311)
        self.client.tls_set(ca, cert, key)
        if will:
            self.client.will_set(*will)
        self.client.on_connect = lambda c, u, flags, rc: self.connected.put((rc, flags["session present"]))
        self.client.on_message = lambda c, u, m: self.inbox.put(m)
        self.client.on_subscribe = lambda c, u, mid, qos: self.granted.put(qos)
        self.client.on_unsubscribe = lambda c, u, mid: self.left.put(mid)
        self.client.on_disconnect = lambda c, u, rc: self.lost.set()
        self.client.connect("localhost", port, keepalive)
        self.client.loop_start()
        self.rc, self.present = self.connected.get(timeout=PATIENCE)

    def subscribe(self, *filters):
        self.client.subscribe(list(filters))
        return list(self.granted.get(timeout=PATIENCE))

    def unsubscribe(self, *filters):
        self.client.unsubscribe(list(filters))
        self.left.get(timeout=PATIENCE)

    def publish(self, topic, payload, qos=1, retain=False):
        info = self.client.publish(topic, payload, qos, retain)
        info.wait_for_publish(PATIENCE)
        assert info.is_published(), f"{topic} was not acknowledged"

    def receive(self):
        return self.inbox.get(timeout=PATIENCE)

    def receive_until(self, topic):
        """All messages up to the one on `topic`, which is not among them."""
        messages = []
        while True:
            message = self.receive()
            if message.topic == topic:
                return messages
            messages.append(message)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self):
        """Ends the connection without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client._sock_close()


def pairs(messages):
    return [(m.topic, m.payload.decode(), m.qos) for m in messages]


def same(actual, expected):
    assert actual == expected, f"{actual} is not {expected}"


def dial(packet):
    """Sends bytes over TLS and returns what comes back until the broker closes."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)
    with socket.create_connection(("localhost", port), PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(packet)
            answer = b""
            try:
                while True:
                    chunk = tls.recv(1024)
                    if not chunk:
                        return answer
                    answer += chunk
            except ConnectionError:
                return answer


def basic():
    """Each quality of service arrives, once and in order."""
    client = Client("basic")
    same(client.subscribe(("basic/#", 2)), [2])
    for qos in (0, 1, 2):
        client.publish("basic/a", f"message {qos}", qos)
    client.publish("basic/end", "", 2)
    same(pairs(client.receive_until("basic/end")), [("basic/a", f"message {qos}", qos) for qos in (0, 1, 2)])
    client.leave()


def retained():
    """Retained messages come with a subscription, with the flag; an empty one clears the topic."""
    client = Client("retained")
    for qos in (0, 1, 2):
        client.publish(f"retained/{qos}", f"message {qos}", qos, True)
    client.subscribe(("retained/+", 2))
    found = sorted((client.receive() for _ in range(3)), key=lambda m: m.topic)
    same(pairs(found), [(f"retained/{qos}", f"message {qos}", qos) for qos in (0, 1, 2)])
    assert all(m.retain for m in found)
    client.publish("retained/0", "live", 1, True)
    assert not client.receive().retain, "to an established subscription the flag is 0 [MQTT-3.3.1-9]"
    for qos in (0, 1, 2):
        client.publish(f"retained/{qos}", b"", qos, True)
    other = Client("retained-2")
    other.subscribe(("retained/#", 2))
    client.publish("retained/end", "")
    same(other.receive_until("retained/end"), [])
    client.leave()
    other.leave()


def offline_queueing():
    """A stored session has what was published at QoS 1 and 2 while it was away."""
    away = Client("offline", clean=True)
    away.leave()
    away = Client("offline", clean=False)
    assert not away.present
    away.subscribe(("offline/#", 2))
    away.leave()
    other = Client("online")
    for qos in (1, 2):
        other.publish(f"offline/{qos}", f"message {qos}", qos)
    back = Client("offline", clean=False)
    assert back.present, "session present [MQTT-3.2.2-2]"
    other.publish("offline/end", "", 2)
    same(pairs(back.receive_until("offline/end")), [("offline/1", "message 1", 1), ("offline/2", "message 2", 2)])
    back.leave()
    clean = Client("offline", clean=True)
    assert not clean.present
    clean.leave()
    fresh = Client("offline", clean=False)
    assert not fresh.present, "a clean session leaves nothing behind [MQTT-3.1.2-6]"
    fresh.leave()
    other.leave()


def will():
    """A will is published when the connection is lost, and not after DISCONNECT."""
    watcher = Client("watcher")
    watcher.subscribe(("will/#", 2))
    polite = Client("polite", will=("will/polite", "gone", 2, False))
    polite.leave()
    lost = Client("lost", will=("will/lost", "gone", 2, True))
    lost.vanish()
    same(pairs([watcher.receive()]), [("will/lost", "gone", 2)])
    late = Client("late")
    late.subscribe(("will/#", 2))
    assert late.receive().retain, "a will with the retain flag is retained [MQTT-3.1.2-17]"
    late.publish("will/lost", b"", 1, True)
    late.leave()
    watcher.leave()


def overlapping_subscriptions():
    """Of filters that overlap, the message comes with the highest quality of service granted."""
    client = Client("overlapping")
    same(client.subscribe(("overlap/#", 2), ("overlap/+", 1)), [2, 1])
    client.publish("overlap/x", "message", 2)
    client.publish("overlap/end", "", 2)
    messages = client.receive_until("overlap/end")
    same(sorted({m.qos for m in messages}, reverse=True)[0], 2)
    assert len(messages) in (1, 2)
    client.leave()


def keepalive():
    """A client that is silent for one and a half times its keep alive is gone [MQTT-3.1.2-24]."""
    watcher = Client("watcher")
    watcher.subscribe(("keepalive/will", 1))
    silent = Client("silent", keepalive=2, will=("keepalive/will", "gone", 1, False))
    silent.client.loop_stop()
    started = time.monotonic()
    watcher.receive()
    assert time.monotonic() - started > 1
    watcher.leave()


class Forgetful(mqtt.Client):
    """Acknowledges nothing."""

    def _send_puback(self, mid):
        return mqtt.MQTT_ERR_SUCCESS

    def _send_pubrec(self, mid):
        return mqtt.MQTT_ERR_SUCCESS


def redelivery():
    """What a stored session has not acknowledged comes again, marked as a duplicate [MQTT-4.4.0-1]."""
    Client("redelivery").leave()
    forgetful = Client("redelivery", clean=False, kind=Forgetful)
    forgetful.subscribe(("redelivery/#", 2))
    other = Client("publisher")
    other.publish("redelivery/1", "message 1", 1)
    other.publish("redelivery/2", "message 2", 2)
    # Of QoS 2 the client tells nobody before the PUBREL, which does not come.
    same(forgetful.receive().topic, "redelivery/1")
    forgetful.vanish()
    back = Client("redelivery", clean=False)
    found = [back.receive(), back.receive()]
    same(pairs(found), [("redelivery/1", "message 1", 1), ("redelivery/2", "message 2", 2)])
    assert found[0].dup
    other.publish("redelivery/end", "", 2)
    same(back.receive_until("redelivery/end"), [])
    back.leave()
    other.leave()


def zero_length_client_id():
    """Is refused with return code 2, with a clean session or without [MQTT-3.1.3-9]."""
    for flags in (0x02, 0x00):
        connect = bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, flags, 0, 60, 0, 0])
        same(dial(connect), bytes([0x20, 2, 0, 2]))


def protocol_level():
    """Another level of the protocol is refused with return code 1 [MQTT-3.1.2-2]."""
    for level in (3, 5, 6):
        connect = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([level, 2, 0, 60, 0, 1]) + b"x"
        answer = dial(connect)
        assert answer in (bytes([0x20, 2, 0, 1]), b""), f"level {level}: {answer.hex()}"


def first_packet():
    """Anything but CONNECT comes to nothing [MQTT-3.1.0-1], and so does a second one [MQTT-3.1.0-2]."""
    same(dial(bytes([0xC0, 0])), b"")
    connect = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 1]) + b"y"
    assert dial(connect + connect) in (bytes([0x20, 2, 0, 0]), b"")


def subscribe_failure():
    """A filter that is not allowed is answered with 0x80, and those beside it are granted [MQTT-3.8.4-5]."""
    client = Client("failure")
    same(client.subscribe(("failure/ok", 1), ("$share/g/failure", 1), ("$SYS/#", 0)), [1, 128, 128])
    client.leave()


def dollar_topics():
    """Wildcards at the beginning do not match topics that begin with $ [MQTT-4.7.2-1], and nobody publishes there."""
    client = Client("dollar")
    client.subscribe(("#", 2), ("+/dollar", 2))
    client.publish("$dollar/x", "message")
    client.publish("$SYS/dollar", "message")
    client.publish("dollar/end", "")
    same([m.topic for m in client.receive_until("dollar/end") if m.topic.startswith("$")], [])
    client.leave()


def unsubscribe():
    """After UNSUBSCRIBE nothing more comes [MQTT-3.10.4-2]; one of a filter that nobody has is answered all the same."""
    client = Client("unsubscribe")
    client.subscribe(("unsubscribe/a", 2), ("unsubscribe/b", 2), ("unsubscribe/c", 2))
    client.unsubscribe("unsubscribe/a", "unsubscribe/never")
    for name in "abc":
        client.publish(f"unsubscribe/{name}", "message", 2)
    same([client.receive().topic, client.receive().topic], ["unsubscribe/b", "unsubscribe/c"])
    client.leave()


def takeover():
    """A second connection with the same client id ends the first one [MQTT-3.1.4-2], and has its session."""
    Client("takeover").leave()
    first = Client("takeover", clean=False)
    first.client.reconnect_delay_set(600, 600)
    first.subscribe(("takeover/#", 1))
    second = Client("takeover", clean=False)
    assert first.lost.wait(PATIENCE), "the first connection is still there"
    assert second.present
    second.publish("takeover/x", "message")
    same(pairs([second.receive()]), [("takeover/x", "message", 1)])
    second.leave()
    first.client.loop_stop()


def order():
    """Messages of one client on one topic arrive in the order in which they were sent [MQTT-4.6.0-6]."""
    client = Client("order")
    # One of its own: with every QoS 2 message that it receives, Paho sends one more than it may have in flight.
    publisher = Client("order-publisher")
    publisher.client.max_inflight_messages_set(50)
    client.subscribe(("order/x", 2))
    for qos in (1, 2):
        for n in range(200):
            publisher.client.publish("order/x", str(n), qos)
        same([client.receive().payload for _ in range(200)], [str(n).encode() for n in range(200)])
    client.leave()
    publisher.leave()


globals()[behaviour]()
