// The relay is killed ten times under load and started again on the same data directory. Whoever
// saves its cursor sees every event of every host once, in order, with rising seq; and who comes
// later sees the same bytes.
import { Account } from '../lib/account.mjs';
import { compareBytes, firstNotRising } from '../lib/frames.mjs';
import { check, expectSame, sleep } from '../lib/util.mjs';

export const name = 'ten SIGKILLs';

const kills = 10;
const loadSeconds = 30;

// Ten pauses of `loadSeconds` in sum, from a tenth of a second (the relay is still starting) on.
function pauses(random) {
    const weights = Array.from({ length: kills }, () => 0.03 + random() ** 2);
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((w) => Math.max(0.1, (w / sum) * loadSeconds));
}

export async function run(t) {
    const settings = { RELAY_SEGMENT_BYTES: '1MiB' };
    const { relay, reader, sent } = await t.startFollowedRelay({ settings });
    reader.close();
    const first = t.reader(relay.url, { cursor: 0, reconnect: true, name: 'consumer 1' });
    const second = t.reader(`ws://127.0.0.1:${relay.httpPort}`, {
        cursor: 0,
        reconnect: true,
        name: 'consumer 2',
    });
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 3, 'killed')))
    ).flat();
    const load = t.startLoad(accounts, { concurrency: 3 });

    const plan = pauses(t.random);
    for (const [i, seconds] of plan.entries()) {
        await sleep(seconds * 1000);
        await relay.kill();
        // Every other time it is started at once, as a supervisor would: before the kernel has let go
        // of all that the dead process held.
        if (i % 2) await relay.expectSoundLog('check', `after kill ${i + 1}`);
        await relay.start();
    }
    await relay.ready();
    const commits = await load.stop();
    await sent.settle([first, second], 45);

    const sums = {};
    let difference = null;
    for (const r of [first, second]) {
        r.expectClean();
        check(
            !firstNotRising(r.frames),
            () => `${r.name}: seq ${firstNotRising(r.frames).seq} does not rise`,
        );
        check(
            !r.others.length,
            () =>
                `${r.name}: ${r.others[0].payload.error ?? r.others[0].payload.name} on a reconnect`,
        );
        difference ??= sent.compare(r.frames, r.name, sums);
    }
    t.note(
        `${commits} commits, ${first.frames.length} events, ${first.connects} connections of consumer 1; ` +
            `both consumers: ${sums.missing} missing, ${sums.repeated} repeated, ${sums.foreign} altered`,
    );
    t.note(`killed after ${plan.map((s) => s.toFixed(2)).join(', ')} s`);
    expectSame(difference);

    const fresh = await t.reader(relay.url, { cursor: 0, name: 'fresh consumer' }).opened();
    await fresh.waitFor(first.frames.length);
    expectSame(
        compareBytes(first.frames, fresh.frames, 'consumer 1 and a fresh consumer from cursor 0'),
    );
    expectSame(compareBytes(first.frames, second.frames, 'consumer 1 and consumer 2'));
    const exit = await relay.terminate(t.sanitized ? 40 : 10);
    check(exit.code === 0, `exit ${exit.signal ?? exit.code} on SIGTERM`);
    await relay.expectSoundLog('verify', 'at the end');
}
