// goat reads the whole stream and finds nothing wrong with it: structure, signatures, trees. It lists
// hosts and accounts, and administers the relay, as it does the Go relay.
import { mixedLoad } from '../lib/account.mjs';
import { Goat, findGoat } from '../lib/goat.mjs';
import { check } from '../lib/util.mjs';

export const name = 'goat';

const password = 'e2e-password';

function expectLine(lines, pattern, what) {
    check(lines.some((line) => pattern.test(line)), `${what} is not told of: ${pattern}`, lines);
}

async function readsAll(goat, frames) {
    const { events, complaints } = await goat.readAll(15);
    check(!complaints.length, `goat complains: ${complaints[0]}`, complaints);
    const seqs = events.map((event) => event.payload.seq);
    check(
        seqs.join() === frames.map((frame) => frame.seq).join(),
        `goat saw ${seqs.length} events of ${frames.length}, or others`,
    );
    return events;
}

// `dids`: of this case. The hosts also send what accounts of other cases did.
async function lists(t, goat, dids) {
    const hosts = await goat.ofRelay('host', 'list');
    for (const host of t.fleet.hosts) {
        const hostname = new URL(host.url).host;
        expectLine(hosts, new RegExp(`^${hostname}\tactive\t\\d+\t\\d+$`), hostname);
        const status = (await goat.ofRelay('host', 'status', '--json', hostname)).join('');
        check(JSON.parse(status).status === 'active', `host status: ${status}`);
    }
    const accounts = await goat.ofRelay('account', 'list', '--json');
    const listed = new Set(accounts.map((line) => JSON.parse(line).did));
    for (const did of dids) check(listed.has(did), `account list has no ${did}`);
    const [did] = dids;
    expectLine(await goat.ofRelay('account', 'status', did), new RegExp(`^${did}\t`), did);
}

async function administers(goat) {
    const admin = (...args) => goat.admin(password, ...args);
    await admin('domain', 'ban', 'spam.example');
    expectLine(await admin('domain', 'list'), /^spam\.example$/, 'a domain ban');
    await admin('domain', 'ban', '--reverse', 'spam.example');
    check((await admin('domain', 'list')).length === 0, 'a domain ban stays');

    await admin('host', 'add', 'localhost:9');
    expectLine(await admin('host', 'list'), /"Host":"localhost:9"/, 'a host that was added');
    await admin('host', 'config', '--account-limit', '500', 'localhost:9');
    await admin('host', 'block', 'localhost:9');
    expectLine(
        await admin('host', 'list'),
        /"Blocked":true.*"Host":"localhost:9"/,
        'a blocked host',
    );
    await admin('host', 'block', '--reverse', 'localhost:9');
    expectLine(await admin('consumer', 'list'), /"remote_addr":"127\.0\.0\.1:/, 'a consumer');
}

export async function run(t) {
    const program = findGoat();
    const { relay, reader, sent } = await t.startFollowedRelay({
        settings: { RELAY_ADMIN_PASSWORD: password, RELAY_ALLOW_PRIVATE_HOSTS: 'all' },
    });
    const load = (host) => mixedLoad(host, { accounts: 6, writes: 6 });
    const accounts = (await Promise.all(t.fleet.hosts.map(load))).flat();
    await sent.settle([reader]);
    const goat = new Goat(program, relay, t.fleet.plc);
    const events = await readsAll(goat, reader.frames);
    await lists(
        t,
        goat,
        accounts.map((account) => account.did),
    );
    await administers(goat);
    t.note(`${events.length} events without a complaint`);
    reader.expectClean();
}
