"""Stand-ins for authentik's LDAP and RADIUS outposts, in containers of their production names.

As the real ones they know nothing but where authentik is and a token: they ask it which providers they serve, let
people log in by running the provider's flow, ask whether they may use the app, and look up people and groups.

What they can't do: cached modes (they ask each time), StartTLS, second factors other than a code behind the password,
certificates from authentik (they show one of their own), compare and changes; RADIUS' EAP and attributes of replies.
Changes reach them at once, for they keep nothing; the real ones are told of them.
"""

from __future__ import annotations
