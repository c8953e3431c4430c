// Two hundred honest hosts under TLS, and beside them one that is hostile in each way that the fleet
// knows. All that the honest ones send comes out; of each of the others the relay says what it does.
import { InventedHosts } from '../lib/invented.mjs';
import { check, until } from '../lib/util.mjs';

export const name = 'hostile-hosts';

const password = 'e2e-password';
const honestHosts = 200;
const accountsOfEach = 5;
const firstEvents = 3;
const laterEvents = 6000;

// By when /admin/hosts has to say so of a hostile host.
const told = {
    'slow-headers': (h) => h.live.failure?.includes('no answer'),
    silent: (h) => h.live.connections > 0 && h.live.events === 0,
    'tls-stall': (h) => h.live.failure?.includes('no TLS with localhost'),
    drop: (h) => h.live.connections > 1 && h.live.failure === 'stream: closed',
    poison: (h) => h.live.troubles.poison_steps > 0 && h.live.troubles.unreadable > 0,
    oversized: (h) => h.live.troubles.poison_steps > 0 && h.live.failure.includes('too large'),
    flapping: (h) => h.live.limited > 0 && h.live.passed > 0,
    'future-revs': (h) => h.live.passed > 0,
    'foreign-dids': (h) => h.live.forged > 0 && h.live.passed === 0,
    forged: (h) => h.live.forged > 10 * h.live.passed && h.live.passed > 0,
    'far-seq': (h) => h.live.troubles.seq_leaps > 0 && h.live.troubles.future_cursors > 0,
    'seq-regression': (h) => h.live.troubles.stale > 0 && h.live.passed > 0,
    pings: (h) => h.live.failure?.includes('too many pings'),
    'big-frames': (h) => h.live.forged > 0 && h.live.troubles.rate_waits > 0,
    'did-web': (h) => h.live.unverified > 0,
    relay: (h) => h.live.relay && h.live.failure.includes('it is a relay'),
    redirect: (h) => h.live.failure?.includes('302'),
};

const counted = [
    'relay_host_poison_steps_total',
    'relay_host_seq_leaps_total',
    'relay_host_future_cursors_total',
    'relay_host_relays_refused_total',
    'relay_host_rate_waits_total',
    'relay_host_connect_failures_total',
    'relay_new_host_refusals_total{why="full"}',
    'relay_host_frames_total{result="stale"}',
    'relay_host_frames_total{result="malformed"}',
];

async function admin(relay, query) {
    const response = await fetch(`${relay.httpUrl}/admin/hosts?${query}`, {
        headers: { authorization: `Bearer ${password}` },
    });
    check(response.status === 200, `GET /admin/hosts: ${response.status}`);
    return response.json();
}

export async function run(t) {
    const invented = await InventedHosts.start(t.buildDir, t.dir, {
        hosts: honestHosts,
        accounts: accountsOfEach,
        rate: 300,
        events: laterEvents,
        records: 1000,
        seed: t.seed,
        tls: true,
        ledger: true,
        hostile: 'all',
    });
    t.readers.push(invented);
    const { 'endless-list': upstream, ...hostile } = invented.hostile;
    check(
        Object.keys(hostile).sort().join() === Object.keys(told).sort().join(),
        'the fleet knows other ways than this case',
    );
    const relay = await t.startRelay({
        hosts: [invented.hosts, ...Object.values(hostile)].join(','),
        plc: invented.plc,
        settings: {
            RELAY_UPSTREAM: upstream,
            RELAY_CA_BUNDLE: invented.ca,
            RELAY_ALLOW_PRIVATE_HOSTS: 'all',
            RELAY_ADMIN_PASSWORD: password,
            RELAY_MAX_HOSTS: '500',
        },
    });

    for (const [way, url] of Object.entries(hostile)) {
        const hostname = new URL(url).host;
        let row;
        await until(
            async () => {
                row = (await admin(relay, `name=${hostname}`)).hosts[0];
                return row?.live && told[way](row);
            },
            45,
            () => `${way} is not told of: ${JSON.stringify(row)}`,
        );
        t.note(`${way}: ${row.state}, ${row.live.failure ?? 'no failure'}`);
    }
    const { upstreams } = await admin(relay, 'limit=1');
    check(upstreams[0].cut && upstreams[0].added > 0, JSON.stringify(upstreams));
    for (const metric of counted) {
        check((await relay.metric(metric)) > 0, `${metric} is 0`);
    }

    const sent = honestHosts * accountsOfEach * firstEvents + laterEvents;
    const verdict = await invented.expectExact(relay.url, 60);
    check(verdict.sent === sent, `${verdict.sent} events of ${sent} were sent`);
    const health = await fetch(`${relay.httpUrl}/_healthz`);
    check(health.status === 200, `/_healthz: ${health.status}`);
    t.note(`${verdict.matched} events of honest hosts, ${verdict.strangers} of others`);
}
