// Every firehose client we know reads the relay's whole window, and all of them see the same events.
// The strict one checks signatures, proofs, inversions, chains and canonical bytes.
import { decodeAll } from '@atproto/lex-cbor';

import { mixedLoad } from '../lib/account.mjs';
import {
    readWithAtcute,
    readWithSkyware,
    readWithSync,
    readWithXrpcServer,
    resolver,
} from '../lib/consumers.mjs';
import { Strict } from '../lib/strict.mjs';
import { Failure, check } from '../lib/util.mjs';

export const name = 'real consumers';

function expectEvents(library, seen, expected) {
    check(!seen.errors.length, `${library}: ${seen.errors[0]} (${seen.errors.length} errors)`);
    const text = (e) => `${e.seq} ${e.kind} ${e.did}`;
    const at = expected.findIndex((e, i) => !seen.events[i] || text(seen.events[i]) !== text(e));
    if (at < 0 && seen.events.length === expected.length) return;
    throw new Failure(
        `${library}: ${seen.events.length} events, not ${expected.length}; first difference at ${at}`,
        [
            `expected ${expected[at] && text(expected[at])}`,
            `actual   ${seen.events[at] && text(seen.events[at])}`,
        ],
    );
}

// What @atproto/sync makes of a stream: an event for each op, in no order across accounts.
function expectOps(seen, frames) {
    check(!seen.errors.length, `@atproto/sync: ${seen.errors[0]} (${seen.errors.length} errors)`);
    const expected = frames
        .flatMap((f) =>
            f.t === '#commit'
                ? [...decodeAll(f.raw)][1].ops.map((op) => `${f.seq} ${op.action} ${f.did}`)
                : [`${f.seq} ${f.t.slice(1)} ${f.did}`],
        )
        .sort();
    const actual = seen.events.map((e) => `${e.seq} ${e.kind} ${e.did}`).sort();
    const at = expected.findIndex((e, i) => e !== actual[i]);
    check(
        at < 0 && actual.length === expected.length,
        `@atproto/sync: ${actual.length} events, not ${expected.length}; first difference at ${at}: ` +
            `expected ${expected[at]}, got ${actual[at]}`,
    );
}

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    await Promise.all(t.fleet.hosts.map((host) => mixedLoad(host, { accounts: 6, writes: 6 })));
    await sent.settle([reader]);
    const frames = reader.frames;

    const ids = resolver(t.fleet.plc);
    const strict = new Strict((did) => ids.did.resolveAtprotoKey(did));
    for (const frame of frames) await strict.accept(frame.raw);
    check(
        !strict.failures.length,
        `strict: ${strict.failures.length} failures in ${frames.length} frames`,
        strict.failures.slice(0, 10),
    );
    check(strict.counts['#commit'] > 50, 'strict: too few commits to prove anything');

    const options = {
        url: relay.url,
        plc: t.fleet.plc,
        cursor: 0,
        count: frames.length,
        seconds: 20,
    };
    const expected = frames.map((f) => ({ seq: f.seq, kind: f.t.slice(1), did: f.did }));
    expectEvents('@skyware/firehose', await readWithSkyware(options), expected);
    expectEvents('@atcute/firehose', await readWithAtcute(options), expected);
    expectEvents('@atproto/xrpc-server', await readWithXrpcServer(options), expected);
    const ops = frames.reduce(
        (n, f) => n + (f.t === '#commit' ? [...decodeAll(f.raw)][1].ops.length : 1),
        0,
    );
    expectOps(await readWithSync({ ...options, count: ops }), frames);
    t.note(
        `${frames.length} events, ${ops} ops, by five clients; strict: ${JSON.stringify(strict.counts)}`,
    );
}
