// What the page asks of GraphQL, and what it reads out of the answers.

export const boot = JSON.parse(document.getElementById('boot').textContent);

export class Refused extends Error {
  constructor(status, code) {
    super(`${status} ${code ?? ''}`);
    this.status = status;
    this.code = code;
  }
}

const encode = (value) => encodeURIComponent(JSON.stringify(value));

const cookie = (name) => {
  const pairs = document.cookie.split('; ').map((pair) => pair.split('='));
  return pairs.find(([key]) => key === name)?.[1] ?? '';
};

const transaction = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(48));
  return btoa(String.fromCharCode(...bytes)).replaceAll('=', '');
};

/// The body of an answer and the mood it brings; throws `Refused` where it has no data.
export async function query(operation, variables) {
  const path = `/i/api/graphql/${boot.queries[operation]}/${operation}`;
  const response = await fetch(`${path}?variables=${encode(variables)}&features=${encode(boot.features)}`, {
    headers: {
      authorization: `Bearer ${boot.bearer}`,
      'content-type': 'application/json',
      'x-client-transaction-id': transaction(),
      'x-csrf-token': cookie('ct0'),
      'x-twitter-active-user': 'yes',
      'x-twitter-auth-type': 'OAuth2Session',
      'x-twitter-client-language': boot.language,
    },
  });
  const body = await response.json().catch(() => null);
  const code = body?.errors?.[0]?.code;
  if (!response.ok || !body?.data) {
    throw new Refused(response.status, code);
  }
  return { body, code, mood: response.headers.get('x-simulator-page') };
}

/// The rows of a page and the cursor behind them; undefined where the answer has no timeline.
export function readPage(body) {
  const own = body.data.relationship_timeline?.page;
  if (own) {
    return { rows: own.items.map(ofOwn), bottom: own.after };
  }
  const instructions = body.data.user?.result?.timeline?.timeline?.instructions;
  if (!instructions) {
    return undefined;
  }
  const entries = instructions.flatMap((one) => one.entries ?? []);
  const results = entries.map((entry) => entry.content.itemContent?.user_results?.result);
  const cursor = entries.find((entry) => entry.content.cursorType === 'Bottom');
  return { rows: results.map(ofResult).filter(Boolean), bottom: cursor?.content.value };
}

const ofOwn = ({ account }) => ({
  id: account.key,
  handle: account.tag,
  name: account.label,
  bio: account.about,
  verified: account.badge,
  locked: account.closed,
  followsYou: false,
});

/// A user in either shape; undefined for one that cannot be shown.
export function ofResult(result) {
  const handle = result?.core?.screen_name ?? result?.legacy?.screen_name;
  if (!handle) {
    return undefined;
  }
  const { legacy = {} } = result;
  return {
    id: result.rest_id,
    handle,
    name: result.core?.name ?? legacy.name,
    bio: result.profile_bio?.description ?? legacy.description,
    picture: result.avatar?.image_url ?? legacy.profile_image_url_https,
    verified: result.is_blue_verified || result.verification?.verified || legacy.verified || false,
    locked: result.privacy?.protected ?? legacy.protected ?? false,
    followsYou: result.relationship_perspectives?.followed_by ?? legacy.followed_by ?? false,
    followers: result.relationship_counts?.followers ?? legacy.followers_count,
    created: result.core?.created_at ?? legacy.created_at,
    place: result.location?.location ?? legacy.location,
  };
}
