"""STUN: messages, integrity, transactions, a Binding server, NAT behaviour discovery. See README.md."""

from .attributes import Attribute, AttributeValue, ErrorCodeValue, NetworkCost, PasswordAlgorithm
from .behaviour import (
    BehaviourConfig,
    BehaviourCounters,
    BehaviourDiscovered,
    BehaviourDiscovery,
    BehaviourEvent,
    DiscoveryClosed,
)
from .behaviour_report import DiscoveryOutcome, NatBehaviour, NatReport
from .integrity import fingerprint, long_term_key, message_integrity, prepare_text, short_term_key, user_hash
from .message import Message, is_stun
from .registry import HEADER_BYTES, MAGIC_COOKIE, REASONS, AttributeType, ErrorCode, MessageClass, Method
from .server import AlternateAddresses, BindingAnswer, answer_binding, answer_discovery, serve_binding
from .transaction import RetransmissionConfig, Transaction, new_transaction_id

__all__ = [
    "HEADER_BYTES",
    "MAGIC_COOKIE",
    "REASONS",
    "AlternateAddresses",
    "Attribute",
    "AttributeType",
    "AttributeValue",
    "BehaviourConfig",
    "BehaviourCounters",
    "BehaviourDiscovered",
    "BehaviourDiscovery",
    "BehaviourEvent",
    "BindingAnswer",
    "DiscoveryClosed",
    "DiscoveryOutcome",
    "ErrorCode",
    "ErrorCodeValue",
    "Message",
    "MessageClass",
    "Method",
    "NatBehaviour",
    "NatReport",
    "NetworkCost",
    "PasswordAlgorithm",
    "RetransmissionConfig",
    "Transaction",
    "answer_binding",
    "answer_discovery",
    "fingerprint",
    "is_stun",
    "long_term_key",
    "message_integrity",
    "new_transaction_id",
    "prepare_text",
    "serve_binding",
    "short_term_key",
    "user_hash",
]
