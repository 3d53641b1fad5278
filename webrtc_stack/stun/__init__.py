"""STUN: messages, integrity, transactions, and a Binding server. See README.md."""

from .attributes import Attribute, AttributeValue, ErrorCodeValue, NetworkCost, PasswordAlgorithm
from .integrity import fingerprint, long_term_key, message_integrity, prepare_text, short_term_key, user_hash
from .message import Message, is_stun
from .registry import HEADER_BYTES, MAGIC_COOKIE, REASONS, AttributeType, ErrorCode, MessageClass, Method
from .server import answer_binding, serve_binding
from .transaction import RetransmissionConfig, Transaction, new_transaction_id

__all__ = [
    "HEADER_BYTES",
    "MAGIC_COOKIE",
    "REASONS",
    "Attribute",
    "AttributeType",
    "AttributeValue",
    "ErrorCode",
    "ErrorCodeValue",
    "Message",
    "MessageClass",
    "Method",
    "NetworkCost",
    "PasswordAlgorithm",
    "RetransmissionConfig",
    "Transaction",
    "answer_binding",
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
