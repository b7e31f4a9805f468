"""The least that answers direct messages: opens a gift wrap, sends back what it says, keeps nothing.

What the bot's speed is held against. It checks nothing beyond what its library does, answers a message as often as a
relay brings it, and forgets what it has not answered when it ends. As a program: `python -m tests.bench.echo URL` tells
its public key in one line and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import nostr_sdk as sdk

_CONNECTED_WITHIN = timedelta(seconds=5)


async def main(url: str) -> None:
    keys = sdk.Keys.generate()
    client = sdk.ClientBuilder().verify_subscriptions(True).build()
    await client.add_relay(sdk.RelayUrl.parse(url))
    await client.connect(and_wait=_CONNECTED_WITHIN)
    notifications = client.notifications()
    wanted = sdk.Filter().kind(sdk.Kind(1059)).pubkey(keys.public_key())
    await client.subscribe(sdk.ReqTarget.auto([wanted]))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    ended.add_done_callback(lambda _: asyncio.create_task(client.shutdown()))
    print(keys.public_key().to_hex(), flush=True)
    while (said := await notifications.next()) is not None and not said.is_SHUTDOWN():
        if isinstance(said, sdk.ClientNotification.NEW_EVENT):
            await client.send_event(echo(keys, said.event))


def echo(keys: sdk.Keys, wrap: sdk.Event) -> sdk.Event:
    gift = sdk.UnwrappedGift.from_gift_wrap(keys, wrap)
    rumor = gift.rumor().ensure_id()
    answered = rumor.id()
    assert answered is not None
    tags = [sdk.Tag.parse(["e", answered.to_hex(), "", "reply"])]
    return sdk.nip17_make_private_msg(keys, gift.sender(), rumor.content(), rumor_extra_tags=tags)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
