// An OpenID provider for the tests: loopback only, everything in memory. It
// tells its issuer in the first line it prints, takes one command per line of
// standard input and answers each with a line. It ends when its input does, and
// after five minutes in any case.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const { redirect, secret, thin, host } = JSON.parse(process.argv[2]);
setTimeout(() => process.exit(3), 5 * 60 * 1000).unref();

const jwk = (type, options, more) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more,
});
const method = thin ? 'client_secret_post' : 'client_secret_basic';
const people = new Map(); // login → claims
let away = false; // answers nothing but errors

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://${host}:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: {
      keys: [
        jwk('rsa', { modulusLength: 2048 }, { kid: 'rsa' }),
        jwk('ec', { namedCurve: 'P-256' }, { kid: 'ec' }),
        jwk('ed25519', {}, { kid: 'ed' }),
      ],
    },
    cookies: { keys: ['only for tests'] },
    clients: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'].map((alg) => ({
      client_id: `office-${alg}`,
      client_secret: secret,
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: alg,
      token_endpoint_auth_method: method,
    })),
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'] },
    clientAuthMethods: [method],
    claims: {
      openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'],
    },
    conformIdTokenClaims: thin, // true: the claims stand in userinfo only
    pkce: { required: () => true },
    rotateRefreshToken: true, // and one that is used twice ends the login
    findAccount: (_ctx, sub) => {
      const claims = people.get(sub);
      return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
    },
    features: { devInteractions: { enabled: true } },
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, RefreshToken: 3600, Grant: 3600, Interaction: 600, Session: 3600 },
  });
  provider.use(async (ctx, next) => { // its pages ask a third party for a font
    await next();
    if (typeof ctx.body === 'string') ctx.body = ctx.body.replace(/@import url\(https:[^)]*\);/, '');
  });
  const answer = provider.callback();
  server.on('request', (req, res) => {
    if (!away) return answer(req, res);
    res.writeHead(503).end();
  });
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);

  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { login, claims, away: leaves } = JSON.parse(line); // claims null: the person is gone
    if (leaves !== undefined) away = leaves; else if (claims) people.set(login, claims); else people.delete(login);
    process.stdout.write('"ok"\n');
  });
  lines.on('close', () => process.exit(0));
});
