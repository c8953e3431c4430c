// The life of accounts on a real PDS: what consumers are told at each turn, and what the relay
// answers to those who ask it.
import { Account } from '../lib/account.mjs';
import { check, until } from '../lib/util.mjs';

export const name = 'life cycle of an account';

class Life {
    constructor(t, relay, reader, account) {
        Object.assign(this, { t, relay, reader, account });
        this.told = 0; // events of this account that were looked at
    }

    get did() {
        return this.account.did;
    }

    // What consumers were told since the last time: `#account deactivated`, `#commit` ...
    async expectEvents(turn, expected) {
        const mine = () => this.reader.frames.filter((f) => f.did === this.did).slice(this.told);
        const words = () =>
            mine().map((f) => {
                if (f.t === '#identity' && 'handle' in f.payload) return '#identity with a handle';
                if (f.t !== '#account') return f.t;
                return `#account ${f.payload.active ? 'active' : f.payload.status}`;
            });
        const same = () => words().join() === expected.join();
        await until(
            () => mine().length >= expected.length,
            15,
            () => `${turn}: told ${words().join()}, not ${expected.join()}`,
        );
        check(same(), () => `${turn}: told ${words().join()}, not ${expected.join()}`);
        this.told += expected.length;
    }

    // Once the fold has come so far.
    expectAnswer(turn, method, isRight, words) {
        let answer;
        return until(
            async () =>
                isRight((answer = await this.relay.query(method, { did: this.did }))) === true,
            10,
            () => `${turn}: ${method}: ${JSON.stringify(answer)}, not ${words}`,
        );
    }

    async expectActive(turn) {
        const head = await this.head();
        await this.expectAnswer(
            turn,
            'getRepoStatus',
            ({ status, body }) =>
                status === 200 &&
                JSON.stringify(body) === JSON.stringify({ did: this.did, active: true, rev: head.rev }),
            `active with rev ${head.rev}`,
        );
        await this.expectAnswer(
            turn,
            'getLatestCommit',
            ({ status, body }) => status === 200 && body.cid === head.cid && body.rev === head.rev,
            JSON.stringify(head),
        );
        const at = `${this.account.host.url}/xrpc/com.atproto.sync.`;
        for (const method of ['getRepo', 'getRecord', 'getBlocks']) {
            await this.expectAnswer(
                turn,
                method,
                ({ status, location }) =>
                    status === 302 &&
                    location === `${at}${method}?${new URLSearchParams({ did: this.did })}`,
                `302 to ${at}${method}`,
            );
        }
        const listed = (await this.relay.listRepos()).get(this.did);
        check(
            listed?.active === true &&
                listed.status === undefined &&
                listed.rev === head.rev &&
                listed.head === head.cid,
            `${turn}: listRepos has ${JSON.stringify(listed)}`,
        );
        return head;
    }

    async expectInactive(turn, word, error) {
        await this.expectAnswer(
            turn,
            'getRepoStatus',
            ({ status, body }) =>
                status === 200 &&
                body.active === false &&
                body.status === word &&
                body.rev === undefined,
            `inactive: ${word}`,
        );
        for (const method of ['getLatestCommit', 'getRepo', 'getRecord', 'getBlocks']) {
            await this.expectAnswer(
                turn,
                method,
                ({ status, body }) => status === 403 && body.error === error,
                error,
            );
        }
        const listed = (await this.relay.listRepos()).get(this.did);
        check(
            listed?.active === false && listed.status === word,
            `${turn}: listRepos has ${JSON.stringify(listed)}`,
        );
    }

    // What the account's own PDS says.
    async head() {
        const url = `${this.account.host.url}/xrpc/com.atproto.sync.getLatestCommit`;
        const response = await fetch(`${url}?did=${this.did}`);
        const { cid, rev } = await response.json();
        return { cid, rev };
    }
}

async function expectRefusals(relay) {
    const unknown = `did:plc:${'z'.repeat(24)}`;
    for (const method of ['getRepoStatus', 'getLatestCommit', 'getRepo', 'getRecord', 'getBlocks']) {
        for (const [parameters, status, error] of [
            [{ did: unknown }, 404, 'RepoNotFound'],
            [{ did: 'someone.test' }, 400, 'BadRequest'],
            [{}, 400, 'BadRequest'],
        ]) {
            const answer = await relay.query(method, parameters);
            check(
                answer.status === status && answer.body.error === error && answer.body.message,
                `${method} ${JSON.stringify(parameters)}: ${JSON.stringify(answer)}`,
            );
        }
    }
    for (const parameters of [{ limit: 0 }, { limit: 1001 }, { limit: 'x' }, { cursor: '17' }]) {
        const answer = await relay.query('listRepos', parameters);
        check(
            answer.status === 400 && answer.body.error === 'BadRequest',
            `listRepos ${JSON.stringify(parameters)}: ${JSON.stringify(answer)}`,
        );
    }
}

async function expectManners(relay, did) {
    for (const base of [relay.httpUrl, `http://127.0.0.1:${relay.port}`]) {
        const url = `${base}/xrpc/com.atproto.sync.getRepoStatus?did=${did}`;
        const got = await fetch(url);
        check(got.headers.get('access-control-allow-origin') === '*', 'no CORS header');
        check(got.headers.get('content-type') === 'application/json', 'not application/json');
        const head = await fetch(url, { method: 'HEAD' });
        check(head.status === 200 && (await head.text()) === '', `HEAD: ${head.status}`);
        const post = await fetch(url, { method: 'POST' });
        check(post.status === 405, `POST: ${post.status}`);
        const upper = await fetch(url.replace(did, did.toUpperCase().replace('DID:PLC', 'did:plc')));
        check((await upper.json()).did === did, 'a did:plc in upper case is not found');
    }
}

// Pages of one repo lead through the same list as pages of a thousand.
async function expectPages(relay) {
    const [whole, single, few] = [
        await relay.listRepos(),
        await relay.listRepos(1),
        await relay.listRepos(7),
    ];
    for (const paged of [single, few])
        check([...paged.keys()].join() === [...whole.keys()].join(), 'listRepos: pages differ');
    return whole.size;
}

export async function run(t) {
    const { relay, reader } = await t.startFollowedRelay();
    const [host] = t.fleet.hosts;
    const life = new Life(t, relay, reader, await Account.create(host, 'life'));
    await life.expectEvents('creation', ['#identity', '#account active', '#commit', '#sync']);
    await life.expectActive('creation');

    await life.account.createNote();
    await life.expectEvents('a record', ['#commit']);
    await life.expectActive('a record');
    await expectManners(relay, life.did);

    await life.account.rename();
    await life.expectEvents('a new handle', ['#identity']);
    await life.expectActive('a new handle');

    await life.account.deactivate();
    await life.expectEvents('deactivation', ['#account deactivated']);
    await life.expectInactive('deactivation', 'deactivated', 'RepoDeactivated');

    await life.account.activate();
    await life.expectEvents('activation', ['#account active', '#identity', '#sync']);
    await life.account.createNote();
    await life.expectEvents('a record after activation', ['#commit']);
    await life.expectActive('activation');

    await life.account.takedown(true);
    await life.expectEvents('takedown', ['#account takendown']);
    await life.expectInactive('takedown', 'takendown', 'RepoTakendown');

    await life.account.takedown(false);
    await life.expectEvents('reversal', ['#account active']);
    await life.account.createNote();
    await life.expectEvents('a record after reversal', ['#commit']);
    await life.expectActive('reversal');

    await life.account.erase();
    await life.expectEvents('deletion', ['#account deleted']);
    await life.expectInactive('deletion', 'deleted', 'RepoDeleted');

    await expectRefusals(relay);
    const repos = await expectPages(relay);
    const failed = Object.entries(await relay.failedChecks()).filter(([, n]) => n > 0);
    check(!failed.length, `checks failed for what a real PDS sends: ${failed.join(' ')}`);
    t.note(`${life.told} events of one life; ${repos} repos listed`);
}
