"""STUN without a socket: a request, its protection, a Binding server, and a client that repeats what gets lost.

Everything here is a value or a pure function; time is a number that this page makes up. Shown: building and reading a
message, integrity and FINGERPRINT, what a server answers, and the retransmission schedule over a wire that loses the
first two requests.

Run: `python -m webrtc_stack.examples.stun_alone`
"""

from __future__ import annotations

from webrtc_stack import stun
from webrtc_stack.base import Address, SeededEntropy
from webrtc_stack.errors import ParseError

CLIENT = Address("203.0.113.7", 54321)


def show_protection(entropy: SeededEntropy) -> None:
    """A message protected by a password, and what happens to it on the way."""
    request = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.REQUEST,
        transaction_id=stun.new_transaction_id(entropy),
        attributes=(
            stun.Attribute(stun.AttributeType.USERNAME, "alice:bob"),
            stun.Attribute(stun.AttributeType.SOFTWARE, "stun_alone"),
            stun.Attribute(0xC0DE, b"an attribute that nobody knows survives"),
        ),
    )
    key = stun.short_term_key("a secret of at least 22 characters")
    data = request.serialize(key)
    message = stun.Message.parse(data)
    print(f"{len(data)} bytes: {message.message_class.name} from {message.username!r}")
    print(f"  right key verifies: {message.verify(key)}, wrong key: {message.verify(b'guess')}")
    print(f"  unknown attributes: {[(hex(one.type), one.value) for one in message.unknown_optional()]}")
    print(f"  the same bytes when written again: {message.serialize() == data}")
    broken = bytearray(data)
    broken[30] ^= 1
    try:
        stun.Message.parse(bytes(broken))
    except ParseError as error:
        print(f"  one bit flipped: {error}")


def ask_over_a_lossy_wire(entropy: SeededEntropy) -> Address | None:
    """Asks for our address; the wire swallows the first two requests."""
    transaction = stun.Transaction(stun.new_transaction_id(entropy))
    request = stun.Message(message_class=stun.MessageClass.REQUEST, transaction_id=transaction.id).serialize()
    now = 0.0
    while not transaction.expired(now):
        transaction.sent(now)
        print(f"  {now:4.1f} s  request {transaction.sends} sent, the next at {transaction.deadline:.1f} s")
        if transaction.sends > 2:
            answer = stun.serve_binding(request, CLIENT, software="a server in a function")
            assert answer is not None
            response = stun.Message.parse(answer)
            assert response.transaction_id == transaction.id
            print(f"  {now + 0.05:4.2f} s {response.software!r} sees us at {response.mapped_address}")
            return response.mapped_address
        now = transaction.deadline
    return None


def main() -> None:
    entropy = SeededEntropy("stun_alone")
    show_protection(entropy)
    print("asking a server for our address:")
    assert ask_over_a_lossy_wire(entropy) == CLIENT
    key = stun.long_term_key("user", "example.org", "pass", "sha256")
    print(f"a long-term key (SHA-256): {key.hex()}")


if __name__ == "__main__":
    main()
