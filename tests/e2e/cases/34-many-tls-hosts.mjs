// Six hundred TLS hosts of a list: all are found and connected within a minute, while health answers.
// After a SIGKILL, with no list any more, they are known and taken up where they were.
import { InventedHosts } from '../lib/invented.mjs';
import { check, sleep, until } from '../lib/util.mjs';

export const name = 'many-tls-hosts';

const password = 'e2e-password';
const hosts = 600;
const accountsOfEach = 2;
const events = 6000;
const rate = 200;

async function totals(relay) {
    const response = await fetch(`${relay.httpUrl}/admin/hosts?limit=1`, {
        headers: { authorization: `Bearer ${password}` },
    });
    check(response.status === 200, `GET /admin/hosts: ${response.status}`);
    return response.json();
}

// Until all are connected, while health answers.
async function allConnected(t, relay) {
    const begin = performance.now();
    let connected;
    await until(
        async () => {
            const health = await fetch(`${relay.httpUrl}/_healthz`);
            check(health.status === 200, `/_healthz: ${health.status}`);
            await health.text();
            connected = await relay.metric('relay_connected_inbound');
            return connected === hosts;
        },
        60,
        () => `${connected} of ${hosts} hosts are connected`,
    );
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    t.note(`${hosts} hosts are connected after ${seconds} s`);
}

export async function run(t) {
    const invented = await InventedHosts.start(t.buildDir, t.dir, {
        hosts,
        accounts: accountsOfEach,
        rate,
        events,
        records: 1000,
        seed: t.seed,
        tls: true,
        ledger: true,
    });
    t.readers.push(invented);
    const relay = t.newRelay({
        hosts: '',
        plc: invented.plc,
        settings: {
            RELAY_UPSTREAM: invented.plc,
            RELAY_CA_BUNDLE: invented.ca,
            RELAY_ALLOW_PRIVATE_HOSTS: 'localhost:*',
            RELAY_ADMIN_PASSWORD: password,
        },
    });
    await relay.start();
    await relay.ready();
    await allConnected(t, relay);
    const before = await totals(relay);
    check(before.totals.hosts === hosts, JSON.stringify(before.totals));
    check(before.upstreams[0].added === hosts, JSON.stringify(before.upstreams));
    check(before.hosts[0].source === 'upstream' && before.hosts[0].tls, JSON.stringify(before.hosts));
    check((await relay.metric('relay_tls_handshakes_total')) >= hosts, 'handshakes');
    await sleep(2000);

    await relay.kill();
    relay.settings.RELAY_UPSTREAM = '';
    await relay.start();
    await relay.ready();
    await allConnected(t, relay);
    const after = await totals(relay);
    check(after.totals.hosts === hosts, JSON.stringify(after.totals));
    check(after.upstreams.length === 0, JSON.stringify(after.upstreams));
    check(after.hosts[0].id === before.hosts[0].id, 'a host has another number');

    const verdict = await invented.expectNoGap(relay.url, 60);
    check(verdict.matched > events / 2, `only ${verdict.matched} events came out`);
    t.note(`${verdict.matched} events came out, ${verdict.missing_head} were before the relay came`);
}
