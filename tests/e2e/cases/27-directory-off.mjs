// The directory is down for a while, or takes questions and never answers. Accounts whose keys are
// known go on as before; new ones pass unverified, as far as nothing that is known speaks against
// them, and are verified when the directory is back; with `unverified` = drop they are held until
// then.
import { compareAccounts } from '../lib/frames.mjs';
import { OwnAccount, newKey } from '../lib/own-account.mjs';
import { check, expectSame, until } from '../lib/util.mjs';

export const name = 'directory off';

const verdict = (word) => `relay_events_total{verdict="${word}"}`;
const late = (word) => `relay_late_verified_total{result="${word}"}`;

// Two hosts, and two relays of them with one road to the directory.
class Scene {
    static async set(t, what) {
        const scene = new Scene();
        scene.what = what;
        scene.plc = t.fleet.plc;
        scene.hosts = await t.scriptedHosts(2);
        scene.road = await t.directoryRoad();
        const hosts = scene.hosts.map((h) => h.url).join(',');
        const start = async (label, settings) => {
            const relay = await t.startRelay({ hosts, plc: scene.road.url, settings });
            const reader = t.reader(relay.url, { cursor: 0, name: `${what}, ${label}` });
            return { relay, reader: await reader.opened() };
        };
        const settings = { RELAY_KEY_WAIT_MS: '300' };
        scene.bold = await start('unverified pass', settings);
        scene.careful = await start('unverified drop', { ...settings, RELAY_UNVERIFIED: 'drop' });
        for (const host of scene.hosts)
            await until(() => host.subscribers === 2, 20, `${what}: both relays subscribe`);
        return scene;
    }

    accounts(host) {
        return Promise.all(
            ['k256', 'p256'].map((type) => OwnAccount.create(host, this.plc, { type })),
        );
    }

    expected(except = []) {
        const frames = this.hosts.flatMap((host) => host.expected());
        return frames.filter((f) => !except.includes(f.did));
    }

    async arrived({ reader }, except = []) {
        await reader.waitFor(this.expected(except).length, 30);
        reader.expectClean();
        expectSame(compareAccounts(this.expected(except), reader.frames, reader.name));
    }

    expectMetric({ relay, reader }, sample, value, seconds = 60) {
        let seen;
        return until(
            async () => (seen = await relay.metric(sample)) === value,
            seconds,
            () => `${reader.name}: ${sample} is ${seen}, not ${value}`,
        );
    }
}

// Both relays know of each account what its host has last said of it.
async function expectState({ bold, careful }, accounts) {
    for (const { relay, reader } of [bold, careful]) {
        for (const { did, repo } of accounts) {
            let body;
            await until(
                async () => {
                    ({ body } = await relay.query('getLatestCommit', { did }));
                    return body.rev === repo.commit.rev && body.cid === String(repo.cid);
                },
                10,
                () => `${reader.name}: getLatestCommit says ${JSON.stringify(body)}`,
            );
        }
    }
}

async function offAndOn(t, what, shut) {
    const scene = await Scene.set(t, what);
    const { bold, careful } = scene;
    const [host, elsewhere] = scene.hosts;
    const known = await scene.accounts(host);
    for (const account of known) await account.announce();
    for (const side of [bold, careful]) await scene.arrived(side);

    await shut(scene.road);
    for (const account of known) for (let i = 0; i < 5; i++) await account.write();
    for (const side of [bold, careful]) {
        await scene.arrived(side);
        await scene.expectMetric(side, verdict('unverified'), 0, 1);
    }

    // New accounts: two as they should be, and one whose commit another key has signed.
    const fresh = await scene.accounts(elsewhere);
    const liar = await OwnAccount.create(elsewhere, scene.plc);
    const notSeen = [...fresh, liar].map((account) => account.did);
    for (const account of fresh) {
        await account.announce();
        await account.write();
    }
    liar.key = await newKey('k256');
    await liar.write();
    await scene.arrived(bold);
    await scene.expectMetric(bold, verdict('unverified'), 11, 1);
    const status = await bold.relay.query('getRepoStatus', { did: fresh[0].did });
    check(status.status === 404, `${what}: state of what is not verified: ${status.status}`);
    // A host that speaks for an account that is known to be of another host.
    elsewhere.sendBad('#account', known[1].account(false, 'deleted'));
    await known[0].write();
    await scene.arrived(bold);
    await scene.arrived(careful, notSeen);

    await scene.road.reopen();
    // An #identity has nothing that could be verified later: 4 of the 5 events of each.
    await scene.expectMetric(bold, late('good'), 8);
    await scene.expectMetric(bold, late('bad'), 1, 10);
    await scene.expectMetric(careful, verdict('unverified'), 0, 1);
    for (const { relay } of [bold, careful]) {
        const authority = 'relay_checks_failed_total{check="authority"}';
        await scene.expectMetric({ relay, reader: bold.reader }, authority, 1);
    }
    await scene.expectMetric(careful, 'relay_checks_failed_total{check="signature"}', 1);
    // What was late is state now, before anything else is said of these accounts.
    await expectState(scene, fresh);
    for (const account of [...fresh, ...known]) await account.write();
    await scene.arrived(bold);
    await scene.arrived(careful, [liar.did]);
    await scene.expectMetric(bold, verdict('unverified'), 11, 1);
    await expectState(scene, fresh);
    for (const { relay } of [bold, careful]) {
        const told = await relay.query('getRepoStatus', { did: liar.did });
        check(told.status === 404, `${what}: state of a liar: ${told.status}`);
    }
    return bold.reader.frames.length;
}

export async function run(t) {
    const counts = await Promise.all([
        offAndOn(t, 'down', (road) => road.shut()),
        offAndOn(t, 'silent', (road) => road.silence()),
    ]);
    t.note(`${counts.join(' and ')} events`);
}
