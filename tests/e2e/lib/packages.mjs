// Preloaded with `node --import`: resolves bare imports ('ws', '@atproto/...') in the folder that
// tests/e2e/setup filled, so that no node_modules has to lie inside the source tree.
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const installed = process.env.RINGLAY_E2E_PACKAGES;
if (!installed)
    throw new Error('RINGLAY_E2E_PACKAGES is not set: start the tests with tests/e2e/run');
const installedUrl = pathToFileURL(path.join(installed, 'package.json')).href;
const ourUrl = new URL('..', import.meta.url).href;

registerHooks({
    resolve(specifier, context, next) {
        const bare = !/^(\.|\/|[a-z]+:)/.test(specifier);
        if (!bare || !context.parentURL?.startsWith(ourUrl)) return next(specifier, context);
        return next(specifier, { ...context, parentURL: installedUrl });
    },
});
