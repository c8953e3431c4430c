// SIGTERM: consumers are told to come back, the relay ends well and soon, and the next start goes on
// where this one ended, with what happened in between.
import { Account } from '../lib/account.mjs';
import { check, expectSame, sleep } from '../lib/util.mjs';

export const name = 'sigterm';

export async function run(t) {
    const limit = t.sanitized ? 40 : 10;
    const { relay, reader, sent } = await t.startFollowedRelay();
    const others = [
        await t.reader(relay.url, { name: 'live consumer' }).opened(),
        await t
            .reader(`ws://127.0.0.1:${relay.httpPort}`, {
                cursor: 0,
                name: 'consumer on http-port',
            })
            .opened(),
    ];
    const raw = t.rawReader(relay.port, { cursor: 0, name: 'raw consumer' });
    const stalled = t.rawReader(relay.port, { cursor: 0, name: 'stalled consumer' });
    await raw.opened();
    await stalled.opened();
    stalled.stall();
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 2, 'sigterm')))
    ).flat();
    const load = t.startLoad(accounts, { concurrency: 2 });
    await sleep(1500);

    const exit = await relay.terminate(limit);
    check(
        exit.code === 0,
        `exit ${exit.signal ?? exit.code} after ${exit.seconds.toFixed(1)} s under load`,
    );
    for (const r of [reader, ...others]) {
        const close = await r.waitForClose();
        check(close.code === 1001, `${r.name}: closed with ${close.code}, not 1001`);
        r.expectClean();
    }
    await sleep(100);
    check(raw.closeCode === 1001, `${raw.name}: closed with ${raw.closeCode}, not 1001`);
    stalled.close();
    await relay.expectSoundLog('verify', 'after SIGTERM');
    await sleep(500);
    await load.stop();

    await relay.start();
    await relay.ready();
    const before = reader.frames.length;
    const back = t.reader(relay.url, {
        cursor: reader.frames.at(-1).seq,
        name: 'returned consumer',
    });
    await sent.settle([back]);
    back.expectClean();
    check(
        !back.others.length,
        () =>
            `the returned consumer got ${back.others[0].payload.name ?? back.others[0].payload.error}`,
    );
    const all = [...reader.frames, ...back.frames];
    expectSame(sent.compare(all, 'before and after the restart'));
    const [last, next] = [all[before - 1].seq, all[before].seq];
    check(next === last + 1, `the seq went from ${last} to ${next} over a clean restart`);

    const idle = await relay.terminate(limit);
    check(idle.code === 0, `exit ${idle.signal ?? idle.code} when idle`);
    t.note(
        `ended in ${exit.seconds.toFixed(2)} s under load, ${idle.seconds.toFixed(2)} s idle; ${back.frames.length} events after the restart`,
    );
}
