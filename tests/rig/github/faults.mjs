// Trouble on order: each rule strikes requests whose "METHOD /path" matches its pattern, a number of times.
export class Faults {
  rules = [];

  // { match: regular expression, kind, times = 1, after = 0, seconds? }
  add(rule) {
    this.rules.push({ times: 1, after: 0, ...rule, pattern: new RegExp(rule.match) });
  }

  clear() {
    this.rules = [];
  }

  take(method, path) {
    for (const rule of this.rules) {
      if (rule.times <= 0 || !rule.pattern.test(`${method} ${path}`)) continue;
      if (rule.after > 0) {
        rule.after -= 1;
        continue;
      }
      rule.times -= 1;
      return rule;
    }
    return null;
  }
}

const message = (text) => ({ message: text, documentation_url: 'https://docs.github.com/rest' });

// Answers (true) or lets the request go on (false; after a wait for "slow").
export async function strike(rule, send, request) {
  const seconds = rule.seconds ?? 1;
  switch (rule.kind) {
    case '401': return send(401, message('Bad credentials'));
    case '403': return send(403, message('Resource not accessible by personal access token'));
    case '404': return send(404, message('Not Found'));
    case '410': return send(410, message('Issues has been disabled in this repository.'));
    case '422': return send(422, { ...message('Validation Failed'), errors: [{ resource: 'Issue', code: 'custom', field: 'body' }] });
    case '429':
    case 'secondary':
      return send(rule.kind === '429' ? 429 : 403, message('You have exceeded a secondary rate limit. Please wait a few minutes before you try again.'), { 'retry-after': String(seconds) });
    case 'primary':
      return send(403, message('API rate limit exceeded for user ID 1.'), { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + seconds) });
    case '500':
    case '503': return send(Number(rule.kind), message('Server Error'));
    case '502': return send(502, '<html><body><h1>502 Bad Gateway</h1></body></html>', { 'content-type': 'text/html' });
    case '301': return send(301, { ...message('Moved Permanently'), url: rule.to }, { location: rule.to });
    case 'json': return send(200, '{"oops', { 'content-type': 'application/json' });
    case 'cut':
      request.socket.destroy();
      return true;
    case 'hang': return true; // never an answer
    case 'slow':
      await new Promise((done) => setTimeout(done, seconds * 1000));
      return false;
    default: return send(Number(rule.kind), message('as the test asked'));
  }
}
