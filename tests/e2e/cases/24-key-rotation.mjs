// An account's key is changed at the directory. Commits by the new key pass, whether the relay was
// told by an #identity or has to find out; commits by the old key do not.
import { compareAccounts } from '../lib/frames.mjs';
import { OwnAccount } from '../lib/own-account.mjs';
import { check, expectSame, sleep, until } from '../lib/util.mjs';

export const name = 'key rotation';

async function refusesOldKey(relay, account, oldKey) {
    const before = (await relay.failedChecks()).signature;
    account.host.sendBad('#commit', await account.sign(await account.draft(), { key: oldKey }));
    await until(
        async () => (await relay.failedChecks()).signature === before + 1,
        20,
        'a commit by the old key was not refused',
    );
}

export async function run(t) {
    const [host] = await t.scriptedHosts(1);
    const road = await t.directoryRoad();
    const relay = await t.startRelay({ hosts: host.url, plc: road.url });
    const reader = await t.reader(relay.url, { cursor: 0, name: 'reader' }).opened();
    await host.subscribed();
    for (const [from, to] of [
        ['k256', 'p256'],
        ['p256', 'k256'],
    ]) {
        for (const isTold of [true, false]) {
            const account = await OwnAccount.create(host, t.fleet.plc, { type: from });
            await account.announce();
            await account.write();
            await reader.waitFor(host.kept.length);
            const asked = road.timesAsked(account.did);
            // The relay believes what it has just been told: a change within the same second is not.
            await sleep(1100);

            const oldKey = await account.rotateKey(to);
            if (isTold) host.send('#identity', account.identity());
            await account.write();
            await account.write();
            const what = `${from} to ${to}, ${isTold ? 'told' : 'not told'}`;
            await reader.waitFor(host.kept.length).catch((error) => {
                error.message = `${what}: ${error.message}`;
                throw error;
            });
            check(road.timesAsked(account.did) > asked, `${what}: the directory was not asked`);
            await refusesOldKey(relay, account, oldKey);
            await account.write();
        }
    }
    await reader.waitFor(host.kept.length);
    reader.expectClean();
    expectSame(compareAccounts(host.expected(), reader.frames, 'the good events'));
    const failed = await relay.failedChecks();
    check(
        Object.entries(failed).every(([row, n]) => n === (row === 'signature' ? 4 : 0)),
        `other checks failed: ${JSON.stringify(failed)}`,
    );
    check((await relay.metric('relay_events_total{verdict="unverified"}')) === 0, 'unverified');
}
