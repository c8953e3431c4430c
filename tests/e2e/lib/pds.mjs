// A real did:plc directory (in memory) and real PDSes in one process, bound to loopback only.
//
//   node --import packages.mjs pds.mjs DATA_DIR PLC_PORT PDS_PORT...
//
// With the URL of a directory in the place of PLC_PORT there is none of its own. A PDS whose folder
// (DATA_DIR/pds-PORT) is there already goes on with it. PDS_CRAWLERS, a comma list of URLs, names
// the relays that it announces itself to.
//
// Prints one line of JSON when all of them serve. Ends on SIGTERM, or when its stdin is closed (so
// that it never outlives the tests that started it).
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

// Both packages listen on every address when they are given only a port.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
    if (typeof args[0] === 'number') {
        const ready = args.find((a) => typeof a === 'function');
        return listen.call(this, { port: args[0], host: '127.0.0.1' }, ready);
    }
    return listen.apply(this, args);
};
process.env.LOG_ENABLED = 'false';

const { PlcServer, Database } = (await import('@did-plc/server')).default;
const { PDS, envToCfg, envToSecrets } = await import('@atproto/pds');
const { Secp256k1Keypair } = await import('@atproto/crypto');

const [dataDir, directory, ...pdsPorts] = process.argv.slice(2);
const adminPassword = 'admin-pass';
const crawlers = (process.env.PDS_CRAWLERS ?? '').split(',').filter(Boolean);

const hasOwnPlc = !directory.startsWith('http');
const plcUrl = hasOwnPlc ? `http://127.0.0.1:${directory}` : directory;
if (hasOwnPlc) {
    const plc = PlcServer.create({ db: Database.mock(), port: Number(directory) });
    await plc.start();
}

const rotationKeys = [];
for (const port of pdsPorts.map(Number)) {
    const dir = path.join(dataDir, `pds-${port}`);
    fs.mkdirSync(path.join(dir, 'blobs'), { recursive: true });
    const keyPath = path.join(dir, 'rotation.key');
    if (!fs.existsSync(keyPath)) {
        const rotationKey = await Secp256k1Keypair.create({ exportable: true });
        fs.writeFileSync(keyPath, Buffer.from(await rotationKey.export()).toString('hex'));
    }
    rotationKeys.push(fs.readFileSync(keyPath, 'utf8'));
    const env = {
        devMode: true,
        port,
        dataDirectory: dir,
        blobstoreDiskLocation: path.join(dir, 'blobs'),
        adminPassword,
        jwtSecret: 'jwt-secret-jwt-secret',
        dpopSecret: 'a'.repeat(64),
        serviceHandleDomains: ['.test'],
        inviteRequired: false,
        disableSsrfProtection: true,
        bskyAppViewUrl: 'http://127.0.0.1:9',
        bskyAppViewDid: 'did:web:appview.invalid',
        plcRotationKeyK256PrivateKeyHex: rotationKeys.at(-1),
        didPlcUrl: plcUrl,
        crawlers,
        maxSubscriptionBuffer: 50000,
        rateLimitsEnabled: false,
    };
    const cfg = envToCfg(env);
    cfg.service.hostname = `localhost:${port}`;
    const server = await PDS.create(cfg, envToSecrets(env));
    // Its guard against loopback addresses has no switch.
    server.ctx.idResolver.did.methods.get('plc').fetch = globalThis.fetch;
    await server.start();
}
console.log(
    JSON.stringify({
        plc: plcUrl,
        hosts: pdsPorts.map((port) => `http://localhost:${port}`),
        rotationKeys,
        adminPassword,
    }),
);

process.on('SIGTERM', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).resume();
