// A relay that is killed and started again knows what it knew: accounts, their revs and whether they
// are active, and, without asking the directory, their keys.
import { OwnAccount } from '../lib/own-account.mjs';
import { compareAccounts } from '../lib/frames.mjs';
import { check, expectSame, until } from '../lib/util.mjs';

export const name = 'warm restart';

const accountsEach = 8;
const verdict = (word) => `relay_events_total{verdict="${word}"}`;

const listed = async (relay) => JSON.stringify([...(await relay.listRepos(5)).values()]);

export async function run(t) {
    const [host] = await t.scriptedHosts(1);
    const road = await t.directoryRoad();
    const settings = { RELAY_KEY_WAIT_MS: '300' };
    const relay = await t.startRelay({ hosts: host.url, plc: road.url, settings });
    const reader = t.reader(relay.url, { cursor: 0, reconnect: true, name: 'reader' });
    await reader.opened();
    await host.subscribed();
    const accounts = [];
    for (const type of ['k256', 'p256'])
        for (let i = 0; i < accountsEach; i++)
            accounts.push(await OwnAccount.create(host, t.fleet.plc, { type }));
    for (const account of accounts) await account.announce();
    await reader.waitFor(host.kept.length, 30);
    // Identities are cache: what the last seconds have brought may be looked up again after a kill.
    const exit = await relay.terminate(t.sanitized ? 40 : 10);
    check(exit.code === 0, `exit ${exit.signal ?? exit.code} on SIGTERM`);
    await relay.start();
    await relay.ready();
    await host.subscribed();

    const [paused, gone, ...active] = accounts;
    for (const account of accounts) await account.write();
    host.send('#account', paused.account(false, 'deactivated'));
    host.send('#account', gone.account(false, 'deleted'));
    for (const [account, status] of [
        [paused, 'deactivated'],
        [gone, 'deleted'],
    ])
        host.statuses.set(account.did, { did: account.did, active: false, status });
    await reader.waitFor(host.kept.length, 30);
    // Not only the last one: events of different accounts may overtake each other.
    const isFolded = async () =>
        (await relay.listRepos()).get(gone.did)?.active === false &&
        (await relay.metric('relay_fold_lag_seqs')) === 0;
    await until(isFolded, 10, 'the last events are not folded');
    const before = await listed(relay);

    await road.shut();
    await relay.kill();
    await relay.start();
    await relay.ready();
    const after = await listed(relay);
    check(after === before, 'listRepos differs after a kill', [
        `before ${before.slice(0, 2000)}`,
        `after  ${after.slice(0, 2000)}`,
    ]);
    await host.subscribed();
    for (const account of active) await account.write();
    for (const account of [paused, gone])
        host.sendBad('#commit', await account.sign(await account.draft()));
    await reader.waitFor(host.kept.length, 30);
    await until(
        async () => (await relay.failedChecks()).active === 2,
        15,
        'commits of inactive accounts were not refused after a restart',
    );
    const verified = await relay.metric(verdict('verified'));
    check(verified === active.length, `${verified} events verified, not ${active.length}`);
    check((await relay.metric(verdict('unverified'))) === 0, 'events passed unverified');
    reader.expectClean();
    expectSame(compareAccounts(host.expected(), reader.frames, reader.name));
    t.note(`${accounts.length} accounts, ${reader.frames.length} events`);
}
