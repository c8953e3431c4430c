// Independent firehose clients from npm. Each reads a firehose from `cursor` until it has seen
// `count` events or `seconds` are over. -> { events: [{ seq, kind, did }], errors: [text] }
//
// @atproto/sync gives one event per op of a commit, and none for a commit without ops; `ops` counts
// those it gave.
import { ComAtprotoSyncSubscribeRepos } from '@atcute/atproto';
import { FirehoseSubscription } from '@atcute/firehose';
import { IdResolver, MemoryCache } from '@atproto/identity';
import { Firehose as SyncFirehose, MemoryRunner } from '@atproto/sync';
import { Subscription } from '@atproto/xrpc-server';
import { Firehose as SkywareFirehose } from '@skyware/firehose';
import WebSocket from 'ws';

import { sleep } from './util.mjs';

// The resolver's own guard against loopback addresses is switched off by giving it a fetch.
export function resolver(plc) {
    return new IdResolver({ plcUrl: plc, didCache: new MemoryCache(), fetch: globalThis.fetch });
}

async function waitForCount(counted, count, seconds) {
    const end = performance.now() + seconds * 1000;
    while (counted() < count && performance.now() < end) await sleep(20);
    await sleep(200); // an event too many would come now
}

// Verifies signatures and proofs; drops in silence what it cannot prove.
export async function readWithSync({ url, plc, cursor, count, seconds }) {
    const events = [];
    const errors = [];
    const runner = new MemoryRunner({ startCursor: cursor, concurrency: 16 });
    const firehose = new SyncFirehose({
        service: url,
        idResolver: resolver(plc),
        runner,
        unauthenticatedHandles: true,
        handleEvent: async (e) => {
            events.push({ seq: e.seq, kind: e.event, did: e.did });
        },
        onError: (e) => {
            errors.push(`${e.message}: ${e.cause?.message ?? e.cause ?? ''}`);
        },
    });
    firehose.start();
    await waitForCount(() => events.length, count, seconds);
    // Neither promise ends while the reader still pushes.
    await Promise.race([runner.destroy(), sleep(500)]);
    await Promise.race([firehose.destroy(), sleep(500)]);
    return { events, errors };
}

export async function readWithSkyware({ url, cursor, count, seconds }) {
    const events = [];
    const errors = [];
    const firehose = new SkywareFirehose({
        relay: url,
        cursor: String(cursor),
        autoReconnect: false,
        ws: WebSocket,
    });
    for (const kind of ['commit', 'identity', 'account', 'sync']) {
        firehose.on(kind, (e) => events.push({ seq: e.seq, kind, did: e.repo ?? e.did }));
    }
    for (const kind of ['info', 'unknown'])
        firehose.on(kind, () => errors.push(`an event of kind ${kind}`));
    firehose.on('error', (e) => errors.push(String(e.error?.message ?? e.error)));
    firehose.on('websocketError', (e) => errors.push(String(e.error?.message ?? e)));
    firehose.start();
    await waitForCount(() => events.length, count, seconds);
    firehose.close();
    return { events, errors };
}

// Validates every message against the Lexicon.
export async function readWithAtcute({ url, cursor, count, seconds }) {
    const events = [];
    const errors = [];
    const subscription = new FirehoseSubscription({
        service: url,
        nsid: ComAtprotoSyncSubscribeRepos.mainSchema,
        params: () => ({ cursor }),
        ws: { WebSocket },
        onError: (e) => errors.push(String(e.message ?? e)),
        onConnectionError: (e) => errors.push(String(e.error?.message ?? e.message)),
    });
    const iterator = subscription[Symbol.asyncIterator]();
    const over = sleep(seconds * 1000).then(() => ({ done: true }));
    while (events.length < count) {
        const next = await Promise.race([iterator.next(), over]);
        if (next.done) break;
        const m = next.value;
        events.push({ seq: m.seq, kind: m.$type.split('#')[1], did: m.repo ?? m.did });
    }
    Promise.resolve(iterator.return?.()).catch(() => {});
    return { events, errors };
}

export async function readWithXrpcServer({ url, cursor, count, seconds }) {
    const events = [];
    const errors = [];
    const abort = new AbortController();
    const subscription = new Subscription({
        service: url,
        method: 'com.atproto.sync.subscribeRepos',
        signal: abort.signal,
        getParams: () => ({ cursor }),
        validate: (value) => value,
        onReconnectError: (e) => errors.push(String(e)),
    });
    const timer = setTimeout(() => abort.abort(), seconds * 1000);
    try {
        for await (const e of subscription) {
            events.push({ seq: e.seq, kind: e.$type.split('#')[1], did: e.repo ?? e.did });
            if (events.length >= count) break;
        }
    } catch (error) {
        if (!abort.signal.aborted) errors.push(String(error));
    }
    clearTimeout(timer);
    abort.abort();
    return { events, errors };
}
