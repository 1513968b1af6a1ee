"""Packets of the RADIUS stand-in, by the numbers of RFC 2865, section 7.1."""

from __future__ import annotations

from bench.outposts.radius import MESSAGE_AUTHENTICATOR, PASSWORD, USER, attributes, clear, reply

REQUEST = bytes.fromhex(
    "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110050600000003"
)
SECRET = b"xyzzy5461"


def test_a_password_is_read_as_the_standard_hides_it() -> None:
    told = dict(attributes(REQUEST[20:]))
    assert told[USER] == b"nemo"
    assert clear(told[PASSWORD], SECRET, REQUEST[4:20]) == b"arctangent"
    assert clear(told[PASSWORD], b"another", REQUEST[4:20]) != b"arctangent"


def test_a_reply_belongs_to_its_request() -> None:
    answer = reply(2, REQUEST, SECRET)
    assert (answer[0], answer[1], int.from_bytes(answer[2:4], "big")) == (2, REQUEST[1], len(answer))
    assert [number for number, _ in attributes(answer[20:])] == [MESSAGE_AUTHENTICATOR]
    assert answer != reply(2, REQUEST, b"another")
