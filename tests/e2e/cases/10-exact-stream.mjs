// What the relay emits for a host is what the host sent: byte for byte but for the seq and the handle
// of an #identity, in order for each account, nothing lost, nothing twice, whatever kind of event it
// is. A relay that is told to keep handles keeps them.
import { mixedLoad } from '../lib/account.mjs';
import { check, expectSame } from '../lib/util.mjs';

export const name = 'exact stream';

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    const onHttpPort = await t
        .reader(`ws://127.0.0.1:${relay.httpPort}`, { cursor: 0, name: 'reader on http-port' })
        .opened();
    const keeper = await t.startRelay({ settings: { RELAY_IDENTITY_HANDLE: 'keep' } });
    const ofKeeper = await t
        .reader(keeper.url, { cursor: 0, name: 'reader of a relay that keeps handles' })
        .opened();
    const before = reader.frames.length;
    await Promise.all(t.fleet.hosts.map((host) => mixedLoad(host, { accounts: 12, writes: 9 })));
    await sent.settle([reader, onHttpPort, ofKeeper]);

    for (const r of [reader, onHttpPort, ofKeeper]) {
        r.expectClean();
        check(!r.others.length, `${r.name}: an #info or error frame in a live stream`);
        expectSame(sent.compare(r.frames, r.name, {}, { keepsHandles: r === ofKeeper }));
    }
    const handles = ofKeeper.frames.filter((f) => f.t === '#identity' && f.handleSpan).length;
    check(handles > 0, 'no #identity had a handle, so this proves nothing about handles');
    for (const r of [relay, keeper]) {
        const failed = Object.entries(await r.failedChecks()).filter(([, n]) => n > 0);
        check(!failed.length, `checks failed for what real PDSes send: ${failed.join(' ')}`);
    }
    const kinds = {};
    const load = reader.frames.slice(before);
    for (const f of load) kinds[f.t] = (kinds[f.t] ?? 0) + 1;
    for (const kind of ['#commit', '#sync', '#identity', '#account']) {
        check(kinds[kind] > 0, `the load made no ${kind}, so this proves nothing about it`);
    }
    const statuses = new Set(load.filter((f) => f.t === '#account').map((f) => f.payload.status));
    for (const status of [undefined, 'deactivated', 'takendown', 'deleted']) {
        check(statuses.has(status), `the load made no #account with status ${status}`);
    }
    t.note(`${reader.frames.length} events, of the load ${JSON.stringify(kinds)}`);
}
