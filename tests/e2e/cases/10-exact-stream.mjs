// What the relay emits for a host is what the host sent: byte for byte but for the seq, in order,
// nothing lost, nothing twice, whatever kind of event it is.
import { mixedLoad } from '../lib/account.mjs';
import { check, expectSame } from '../lib/util.mjs';

export const name = 'exact stream';

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    const onHttpPort = await t
        .reader(`ws://127.0.0.1:${relay.httpPort}`, { cursor: 0, name: 'reader on http-port' })
        .opened();
    const before = reader.frames.length;
    await Promise.all(t.fleet.hosts.map((host) => mixedLoad(host, { accounts: 12, writes: 9 })));
    await sent.settle([reader, onHttpPort]);

    for (const r of [reader, onHttpPort]) {
        r.expectClean();
        check(!r.others.length, `${r.name}: an #info or error frame in a live stream`);
        expectSame(sent.compare(r.frames, r.name));
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
