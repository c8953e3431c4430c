// An account moves from one real PDS to another. Consumers see its life on the old one, then on the
// new one, and nothing of what the old one says afterwards.
import fs from 'node:fs';
import path from 'node:path';

import { decode, decodeAll } from '@atproto/lex-cbor';
import { readCarWithRoot } from '@atproto/repo';

import { Account } from '../lib/account.mjs';
import { Fleet } from '../lib/fleet.mjs';
import { compareStreams, withoutHandle } from '../lib/frames.mjs';
import { check, expectSame, until } from '../lib/util.mjs';

export const name = 'migration';

// After an import @atproto/pds (0.5.35) sends a #sync with a rev that the commit in it does not have.
async function isTrue(frame) {
    if (frame.t !== '#sync') return true;
    const [, body] = [...decodeAll(frame.raw)];
    const { root, blocks } = await readCarWithRoot(body.blocks);
    return decode(blocks.get(root)).rev === body.rev;
}

const words = (frames) =>
    frames
        .map((f) =>
            f.t === '#account' ? `#account ${f.payload.active ? 'active' : f.payload.status}` : f.t,
        )
        .join();

export async function run(t) {
    // PDSes of its own: to a relay that comes later, what the old PDS has of the account is foreign.
    const dir = path.join(t.dir, 'fleet');
    fs.mkdirSync(dir, { recursive: true });
    const fleet = await Fleet.start(dir);
    t.readers.push({ close: () => fleet.stop() });
    const [from, to] = fleet.hosts;
    const sent = await fleet.record();
    t.readers.push(sent);
    const relay = await t.startRelay({ hosts: fleet.relayHosts(), plc: fleet.plc });
    const reader = await t.reader(relay.url, { cursor: 0, name: 'reader' }).opened();

    const account = await Account.create(from, 'mover');
    await account.createNote();
    await account.createNote();
    await sent.settle([reader]);
    const ofAccount = (frames) => frames.filter((f) => f.did === account.did);
    const [onOld, onNew] = sent.hosts.map(({ sent: s }) => () => ofAccount(s.frames));
    const before = onOld().length;
    check(before === 6, `the old PDS sent ${words(onOld())}`);

    const left = await account.moveTo(to);
    await account.createNote();
    await sent.settle([reader], 60);
    for (const isTaken of [true, false, true]) await left.takedown(isTaken);
    await account.createNote();
    let failed;
    await until(
        async () => {
            failed = Object.entries(await relay.failedChecks()).filter(([, n]) => n > 0);
            return failed.some(([row, n]) => row === 'authority' && n === 3);
        },
        30,
        () => `what the old PDS says is not refused: ${failed.join(' ')}`,
    );
    await sent.settle([reader]);

    check(words(onNew()) === '#account active,#identity,#sync,#commit,#commit', words(onNew()));
    const refused = [];
    for (const frame of onNew()) if (!(await isTrue(frame))) refused.push(frame);
    check(
        failed.every(([row, n]) => row === 'authority' || (row === 'match' && n === refused.length)),
        `checks failed: ${failed.join(' ')}`,
    );
    const expected = [
        ...onOld().slice(0, before),
        ...onNew().filter((frame) => !refused.includes(frame)),
    ].map(withoutHandle);
    expectSame(compareStreams(expected, ofAccount(reader.frames), 'the account that moved'));

    const { status, location } = await relay.query('getRepo', { did: account.did });
    check(status === 302 && location.startsWith(`${to.url}/`), `getRepo: ${status} ${location}`);
    const answer = await relay.query('getRepoStatus', { did: account.did });
    check(answer.body.active === true, `getRepoStatus: ${JSON.stringify(answer)}`);
    t.note(`refused of the new PDS: ${words(refused) || 'nothing'}`);
    t.note(`the consumer saw ${words(ofAccount(reader.frames))}`);
}
